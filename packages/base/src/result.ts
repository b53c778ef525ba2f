// Results: what a decoder of untrusted input returns instead of throwing. A throw costs about a hundred
// times a returned value, and an attacker chooses how often it happens.

/** A value, or a literal fault that names what was wrong with the input. */
export type Result<Value, Fault extends string = string> = Ok<Value> | Err<Fault>

export interface Ok<Value> {
  readonly ok: true
  readonly value: Value
}

export interface Err<Fault extends string = string> {
  readonly ok: false
  readonly fault: Fault
}

export function ok<Value>(value: Value): Ok<Value> {
  return { ok: true, value }
}

export function err<Fault extends string>(fault: Fault): Err<Fault> {
  return { ok: false, fault }
}

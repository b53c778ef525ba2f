// Handshake patterns of Noise rev 34 (§7.4, §7.5, §18.1) as data, the psk modifiers (§9) and the
// hfs modifier (noise_hfs rev 1 §5). The first message is the initiator's, and the sides take
// turns.

import { err, ok, type Result } from '@myelin/base'

export type Token = 'e' | 's' | 'ee' | 'es' | 'se' | 'ss' | 'psk' | 'e1' | 'ekem1'

export interface HandshakePattern {
  /** The pattern's name with its modifiers: `XKhfs`, `NNpsk0+psk2`. */
  readonly name: string
  /** Whether the initiator's static key is known beforehand (`-> s` before the dots). */
  readonly knowsInitiator: boolean
  readonly knowsResponder: boolean
  readonly isOneWay: boolean
  readonly messages: readonly (readonly Token[])[]
}

/**
 * Spaces between tokens, slashes between messages; the part before `...` is what is known
 * beforehand.
 */
const patternTexts: Readonly<Record<string, string>> = {
  // §7.4 One-way
  N: '<- s ... e es',
  K: '-> s <- s ... e es ss',
  X: '<- s ... e es s ss',
  // §7.5 Interactive
  NN: 'e / e ee',
  NK: '<- s ... e es / e ee',
  NX: 'e / e ee s es',
  KN: '-> s ... e / e ee se',
  KK: '-> s <- s ... e es ss / e ee se',
  KX: '-> s ... e / e ee se s es',
  XN: 'e / e ee / s se',
  XK: '<- s ... e es / e ee / s se',
  XX: 'e / e ee s es / s se',
  IN: 'e s / e ee se',
  IK: '<- s ... e es s ss / e ee se',
  IX: 'e s / e ee se s es',
  // §18.1 Deferred
  NK1: '<- s ... e / e ee es',
  NX1: 'e / e ee s / es',
  X1N: 'e / e ee / s / se',
  X1K: '<- s ... e es / e ee / s / se',
  XK1: '<- s ... e / e ee es / s se',
  X1K1: '<- s ... e / e ee es / s / se',
  X1X: 'e / e ee s es / s / se',
  XX1: 'e / e ee s / es s se',
  X1X1: 'e / e ee s / es s / se',
  K1N: '-> s ... e / e ee / se',
  K1K: '-> s <- s ... e es / e ee / se',
  KK1: '-> s <- s ... e / e ee se es',
  K1K1: '-> s <- s ... e / e ee es / se',
  K1X: '-> s ... e / e ee s es / se',
  KX1: '-> s ... e / e ee se s / es',
  K1X1: '-> s ... e / e ee s / se es',
  I1N: 'e s / e ee / se',
  I1K: '<- s ... e es s / e ee / se',
  IK1: '<- s ... e s / e ee se es',
  I1K1: '<- s ... e s / e ee es / se',
  I1X: 'e s / e ee s es / se',
  IX1: 'e s / e ee se s / es',
  I1X1: 'e s / e ee s / se es',
}

const dhTokens: ReadonlySet<Token> = new Set<Token>(['ee', 'es', 'se', 'ss'])

export function isDhToken(token: Token): token is 'ee' | 'es' | 'se' | 'ss' {
  return dhTokens.has(token)
}

/** The names of the patterns without modifiers. */
export const patternNames: readonly string[] = Object.keys(patternTexts)

/**
 * A pattern by its name with modifiers, joined by `+` (§8): `XX`, `XKhfs`, `IKpsk2`, `XXhfs+psk3`.
 */
export function parsePattern(name: string): Result<HandshakePattern, 'noise_pattern_unknown'> {
  const [, base = '', suffix] = /^([A-Z0-9]+)([a-z][a-z0-9+]*)?$/.exec(name) ?? []
  const text = Object.hasOwn(patternTexts, base) ? patternTexts[base] : undefined
  if (text === undefined) return err('noise_pattern_unknown')
  const dots = text.indexOf('... ')
  const known = text.slice(0, Math.max(0, dots))
  const body = dots < 0 ? text : text.slice(dots + '... '.length)
  const messages = body.split(' / ').map((message) => message.split(' ') as Token[])
  const modifiers = suffix?.split('+') ?? []
  if (new Set(modifiers).size !== modifiers.length) return err('noise_pattern_unknown')
  for (const modifier of modifiers) {
    if (!applyModifier(modifier, messages)) return err('noise_pattern_unknown')
  }
  return ok({
    name,
    knowsInitiator: known.includes('-> s'),
    knowsResponder: known.includes('<- s'),
    isOneWay: base.length === 1,
    messages,
  })
}

/** Changes `messages` as the modifier says; false when it is unknown or does not fit. */
function applyModifier(modifier: string, messages: Token[][]): boolean {
  if (modifier === 'hfs') return applyHfs(messages)
  const place = /^psk(0|[1-9])$/.exec(modifier)?.[1]
  if (place === undefined) return false
  // §9.4: psk0 opens the first message, pskN closes the N-th.
  const index = Number(place)
  if (index === 0) messages[0]?.unshift('psk')
  else messages[index - 1]?.push('psk')
  return index <= messages.length
}

/**
 * noise_hfs §5: `e1` follows the first `e`, or the DH that follows that `e` directly, so that the
 * KEM key travels encrypted; `ekem1` follows the first `ee`. (The table there puts KK's `e1` before
 * its `es`; the text, and the rows of XK, NK and IK, put it after, and so does this.)
 */
function applyHfs(messages: Token[][]): boolean {
  const first = messages[0]
  const second = messages.find((message) => message.includes('ee'))
  if (first === undefined || second === undefined) return false
  const afterE = first.indexOf('e') + 1
  const next = first[afterE]
  first.splice(next !== undefined && isDhToken(next) ? afterE + 1 : afterE, 0, 'e1')
  second.splice(second.indexOf('ee') + 1, 0, 'ekem1')
  return true
}

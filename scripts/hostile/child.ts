// A child process that answers questions, and the parent's side of it. Node's IPC channel carries JSON.

import { type ChildProcess, spawn } from 'node:child_process'

type Question = { readonly id: number; readonly name: string; readonly argument: unknown }
type Answer = { readonly id: number; readonly value?: unknown; readonly error?: string }
// biome-ignore lint/suspicious/noExplicitAny: each method takes what its name says; JSON has no types.
type Methods = Readonly<Record<string, (argument: any) => unknown>>

/** In the child: answers questions until the parent hangs up. */
export function serve(methods: Methods): void {
  process.on('message', (question: Question) => {
    const answer = (reply: Omit<Answer, 'id'>) => process.send?.({ id: question.id, ...reply })
    Promise.resolve()
      .then(() => methods[question.name]?.(question.argument))
      .then(
        (value) => answer({ value: value ?? null }),
        (error: unknown) => answer({ error: String(error) }),
      )
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.({ id: 0 })
}

/** In the parent. */
export class Child {
  readonly exited: Promise<number | string>
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #next = 1
  #isOver = false

  private constructor(child: ChildProcess) {
    this.#process = child
    this.#waiting.set(0, Promise.withResolvers())
    child.on('message', ({ id, value, error }: Answer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(value)
      else waiting?.reject(new Error(error))
    })
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#isOver = true
        const ended = new Error(`the process ended: ${code ?? signal}`)
        for (const waiting of this.#waiting.values()) waiting.reject(ended)
        this.#waiting.clear()
        resolve(code ?? signal ?? '')
      })
    })
  }

  /** Node raises the soft limit of open files to the hard one by itself. */
  static async start(file: string): Promise<Child> {
    const child = new Child(
      spawn(process.execPath, ['--conditions=@myelin/source', '--expose-gc', file], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    )
    await child.#waiting.get(0)?.promise
    return child
  }

  get isAlive(): boolean {
    return !this.#isOver
  }

  ask<Value>(name: string, argument: unknown = {}): Promise<Value> {
    if (this.#isOver) return Promise.reject(new Error('the process has ended'))
    const id = this.#next
    this.#next += 1
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    this.#process.send({ id, name, argument })
    return waiting.promise as Promise<Value>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) this.#process.kill('SIGKILL')
    await this.exited
  }
}

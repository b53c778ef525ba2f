// What a conformance suite is: the product's own code run over a folder of vectors that others wrote.

export interface CaseOutcome {
  /** The file within the folder. */
  readonly file: string
  /** The case within the file: its number, id or name as upstream writes it. */
  readonly name: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** Why it failed or was skipped. */
  readonly reason?: string
}

export interface Suite {
  /** The folder's name: `wycheproof`. */
  readonly name: string
  /** What it tests, one line. */
  readonly describes: string
  /** Runs every case below `directory`. Yields nothing where the folder holds no file of the suite. */
  run(directory: string): Iterable<CaseOutcome>
}

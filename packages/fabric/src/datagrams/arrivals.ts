// How many datagrams are missing, by their counters: those up to the highest one that have not come. An estimate, as
// one that is late counts as lost until it arrives. Pure.

export class Arrivals {
  #epoch = 0
  #highest = -1
  /** Of the epochs before. */
  #expectedBefore = 0
  #arrived = 0

  /** True where this is the latest that its sender has sent so far. */
  add(epoch: number, counter: number): boolean {
    this.#arrived += 1
    if (epoch < this.#epoch) return false
    if (epoch > this.#epoch) {
      this.#expectedBefore += this.#highest + 1
      this.#epoch = epoch
      this.#highest = -1
    }
    if (counter <= this.#highest) return false
    this.#highest = counter
    return true
  }

  get lost(): number {
    return Math.max(0, this.#expectedBefore + this.#highest + 1 - this.#arrived)
  }
}

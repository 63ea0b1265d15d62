/** Seeded random numbers for tests, benchmarks and initial weights: the same on every machine. */
export class Random {
  #state: number;

  /** @param seed any 32-bit integer */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** The next 32 random bits (Steele's SplitMix, 32-bit form with Wellons' mixing constants). */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** A number in [0, 1). */
  uniform(): number {
    return this.bits() / 2 ** 32;
  }

  /** An integer in [0, limit). */
  integer(limit: number): number {
    return Math.floor(this.uniform() * limit);
  }

  /** `count` samples of a normal distribution, by Box and Muller. */
  normal(count: number, mean = 0, deviation = 1): Float32Array {
    return Float32Array.from({ length: count }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
      return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform());
    });
  }

  /** `count` integers in [0, limit). */
  integers(count: number, limit: number): Uint32Array {
    return Uint32Array.from({ length: count }, () => this.integer(limit));
  }
}

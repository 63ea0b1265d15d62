/** Steps whose mean tells the speed. */
const WINDOW = 20;

/** How fast the last steps were. */
export class Speed {
  steps = 0;
  readonly #marks: { readonly time: number; readonly tokens: number }[] = [{ time: performance.now(), tokens: 0 }];

  add(tokens: number): void {
    // The first step compiles shaders: the clock starts behind it.
    if (this.steps++ === 0) this.#marks.length = 0;
    this.#marks.push({ time: performance.now(), tokens });
    if (this.#marks.length > WINDOW + 1) this.#marks.shift();
  }

  get secondsPerStep(): number {
    const [first, last] = [this.#marks[0]!, this.#marks.at(-1)!];
    return this.#marks.length > 1 ? (last.time - first.time) / 1000 / (this.#marks.length - 1) : 0;
  }

  get tokensPerSecond(): number {
    const tokens = this.#marks.slice(1).reduce((sum, mark) => sum + mark.tokens, 0);
    return this.#marks.length > 1 ? tokens / (this.secondsPerStep * (this.#marks.length - 1)) : 0;
  }
}

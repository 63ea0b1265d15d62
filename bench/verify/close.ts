/** In place of test/harness/close.ts: the same comparison, which also remembers how near to the limit a value came. */
import { difference } from "../../test/harness/difference.ts";
import { recordDeviation } from "./runner.ts";

export { difference, tolerance } from "../../test/harness/difference.ts";

/** Throws with the index, both values and the share when an array is further off than `limit` of its largest value. */
export function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, limit: number, label = "values"): void {
  if (got.length !== want.length) throw new Error(`${label}: expected ${want.length} values, got ${got.length}`);
  const { share, index, largest } = difference(got, want);
  recordDeviation({ label, share, limit });
  if (share <= limit) return;
  throw new Error(
    `${label}: element ${index} of ${want.length} is ${got[index]}, expected ${want[index]}: ${share.toExponential(2)} of the largest value ${largest}, allowed ${limit.toExponential(2)}`,
  );
}

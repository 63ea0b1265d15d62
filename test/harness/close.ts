import { expect } from "vitest";
import { difference } from "./difference.ts";

export { difference, tolerance } from "./difference.ts";

/** Fails with the index, both values and the share when an array is further off than `limit` of its largest value. */
export function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, limit: number, label = "values"): void {
  expect(got.length, `${label}: length`).toBe(want.length);
  const { share, index, largest } = difference(got, want);
  if (share <= limit) return;
  expect.fail(
    `${label}: element ${index} of ${want.length} is ${got[index]}, expected ${want[index]}: ${share.toExponential(2)} of the largest value ${largest}, allowed ${limit.toExponential(2)}`,
  );
}

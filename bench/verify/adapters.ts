/** In place of test/harness/adapters.ts: the one adapter that is being verified. */
import type { FoundAdapter } from "../../src/gpu/adapter.ts";

let verified: FoundAdapter | undefined;

export function verifyOn(found: FoundAdapter): void {
  verified = found;
}

/** A fresh adapter of the same device, since every test file opens its own. */
export async function testAdapters(): Promise<FoundAdapter[]> {
  return [{ ...verified!, adapter: await verified!.request() }];
}

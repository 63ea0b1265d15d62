/**
 * As much of vitest as our GPU tests use. The build of `verify:gpu` puts this in vitest's place, so that the very same test
 * files run on a machine that has no more than Node, the package `webgpu` and a driver.
 */
import { isDeepStrictEqual } from "node:util";

type Body = () => unknown;

interface Suite {
  readonly name: string;
  readonly before: Body[];
  readonly after: Body[];
  readonly children: (Suite | Test)[];
}

interface Test {
  readonly name: string;
  readonly body: Body;
}

/** How far a value was from the one expected, as shares of the largest value. */
export interface Deviation {
  readonly label: string;
  readonly share: number;
  readonly limit: number;
}

export interface TestResult {
  readonly name: string;
  readonly milliseconds: number;
  readonly error?: string;
  /** The comparison that came nearest to its limit, if the test compared numbers. */
  readonly nearest?: Deviation;
}

let current = newSuite("");
let nearest: Deviation | undefined;

function newSuite(name: string): Suite {
  return { name, before: [], after: [], children: [] };
}

export function describe(name: string, body: Body): void {
  const outer = current;
  const suite = newSuite(name);
  outer.children.push(suite);
  current = suite;
  try {
    body();
  } finally {
    current = outer;
  }
}

export function it(name: string, body: Body): void {
  current.children.push({ name, body });
}

export function beforeAll(body: Body): void {
  current.before.push(body);
}

export function afterAll(body: Body): void {
  current.after.push(body);
}

/** Keeps a comparison if none of the running test came nearer to its limit. */
export function recordDeviation(deviation: Deviation): void {
  if (!nearest || !(deviation.share / deviation.limit <= nearest.share / nearest.limit)) nearest = deviation;
}

/** Loads test files, which register their tests, and runs those. */
export async function runTests(load: () => Promise<unknown>, onResult: (result: TestResult) => void): Promise<void> {
  current = newSuite("");
  await load();
  await runSuite(current, "", onResult);
}

async function runSuite(suite: Suite, path: string, onResult: (result: TestResult) => void): Promise<void> {
  const here = [path, suite.name].filter(Boolean).join(" > ");
  try {
    const failed = await attempt(async () => {
      for (const body of suite.before) await body();
    });
    if (failed !== undefined) {
      onResult({ name: `${here} (set-up)`, milliseconds: 0, error: failed });
      return;
    }
    for (const child of suite.children) {
      if ("body" in child) onResult(await runTest(child, here));
      else await runSuite(child, here, onResult);
    }
  } finally {
    for (const body of suite.after) await body();
  }
}

async function runTest({ name, body }: Test, path: string): Promise<TestResult> {
  nearest = undefined;
  const began = performance.now();
  const error = await attempt(body);
  const milliseconds = performance.now() - began;
  return { name: [path, name].filter(Boolean).join(" > "), milliseconds, ...(error === undefined ? {} : { error }), ...(nearest ? { nearest } : {}) };
}

/** The message of what was thrown; undefined if nothing was. */
async function attempt(body: Body): Promise<string | undefined> {
  try {
    await body();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

type Check = (value: unknown, wanted: never) => boolean;

const checks: Record<string, Check> = {
  toBe: (value, wanted) => Object.is(value, wanted),
  toEqual: (value, wanted) => isDeepStrictEqual(value, wanted),
  toBeDefined: (value) => value !== undefined,
  toBeUndefined: (value) => value === undefined,
  toHaveLength: (value, wanted) => (value as ArrayLike<unknown>).length === wanted,
  toBeGreaterThanOrEqual: (value, wanted: number) => (value as number) >= wanted,
};

/** The matchers above on a value; `label` stands in front of the message. */
export const expect = Object.assign(
  (value: unknown, label = "value"): Record<string, (wanted?: unknown) => void> =>
    new Proxy({}, {
      get: (_, matcher: string) => (wanted?: unknown): void => {
        const check = checks[matcher];
        if (!check) throw new Error(`${label}: verify:gpu has no matcher ${matcher}; add it to bench/verify/runner.ts`);
        if (!check(value, wanted as never)) throw new Error(`${label}: expected ${brief(value)} ${matcher} ${brief(wanted)}`);
      },
    }),
  {
    fail: (message: string): never => {
      throw new Error(message);
    },
  },
);

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}

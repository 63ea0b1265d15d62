/** What gated cross-attention promises beyond PyTorch's goldens (operators.test.ts): who sees what, shut gates, slopes. */
import { afterAll, describe, expect, it } from "vitest";
import { Random } from "../../kernels/random.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { ShapeError, type Tensor } from "../../src/graph/tensor.ts";
import { gatedCrossAttention, type MediaView, sortByMedia } from "../../src/nn/cross-attention.ts";
import { Scope } from "../../src/nn/scope.ts";
import { testAdapters } from "../harness/adapters.ts";
import { expectClose } from "../harness/close.ts";
import { mediaView } from "../harness/operators/cross-attention.ts";
import { Sketch } from "../harness/sketch.ts";
import { dot, moved, sizeOf, slope } from "../harness/slope.ts";

/** Allowed error as a share of the length that the derivative has along a random direction. */
const LIMIT = 5e-5;

/** Two sequences of 4 tokens that read 4 media of 3 rows each. */
const [TOKENS, WIDTH] = [8, 13];
const SEEN = [-1, -1, 0, 1, 1, 1, 2, 0];

/** The block with random weights on random tokens and media. */
async function block(sketch: Sketch, view?: MediaView): Promise<Tensor> {
  const random = new Random(2026);
  const scope = new Scope("");
  const layer = gatedCrossAttention(scope, { width: WIDTH, mediaWidth: 5, heads: 2, headSize: 3, mlpWidth: 11, epsilon: 1e-5 });
  for (const [path, parameter] of scope.parameters) {
    const mean = /norm\d\.weight|Gate/.test(path) ? 1 : 0;
    await sketch.load(path, parameter, random.normal(sizeOf(parameter.shape), mean, 0.4));
  }
  const input = (name: string, shape: readonly number[]) => sketch.input(name, shape, random.normal(sizeOf(shape)));
  return layer(input("x", [2, 4, WIDTH]), input("media", [2, 6, 5]), view);
}

/** The tokens whose values differ. */
function changedTokens(before: Float32Array, after: Float32Array): number[] {
  return [...SEEN.keys()].filter((token) => before.subarray(token * WIDTH, (token + 1) * WIDTH).some((value, i) => value !== after[token * WIDTH + i]));
}

for (const found of await testAdapters()) {
  const gpu = await Gpu.open(found);
  afterAll(() => gpu.dispose());

  /** Runs `body` with a sketch and a function that computes the block's output as the values are now. */
  const withBlock = async (view: (sketch: Sketch) => MediaView | undefined, body: (sketch: Sketch, y: Tensor, run: () => Promise<Float32Array>) => Promise<void>) => {
    const sketch = new Sketch(gpu);
    try {
      const y = await block(sketch, view(sketch));
      const program = await sketch.compile({ y });
      await body(sketch, y, async () => {
        sketch.run(program);
        return (await program.read("y")).data as Float32Array;
      });
    } finally {
      sketch.dispose();
    }
  };

  describe(`gated cross-attention on ${found.name}`, () => {
    it("shows every token its own media and no others", () =>
      withBlock((sketch) => mediaView(sketch, SEEN, 4), async (sketch, _, run) => {
        const before = await run();
        const media = sketch.values.get("media")!;
        for (const medium of [0, 1, 2, 3]) {
          sketch.set("media", media.map((value, i) => (Math.floor(i / 15) === medium ? value + 1 : value)));
          const seeing = [...SEEN.keys()].filter((token) => SEEN[token] === medium);
          expect(changedTokens(before, await run())).toEqual(seeing);
        }
      }));

    it("hands on what comes in, bit by bit, with its gates shut", () =>
      withBlock((sketch) => mediaView(sketch, SEEN, 4), async (sketch, _, run) => {
        for (const gate of ["attentionGate", "mlpGate"]) sketch.set(gate, Float32Array.of(0));
        expect(await run()).toEqual(sketch.values.get("x"));
      }));

    it("gives without a view what it gives where every token sees one medium, its sequence's, whatever rows are left over", async () => {
      let plain = new Float32Array();
      await withBlock(() => undefined, async (_, __, run) => void (plain = (await run()).slice()));
      for (const rows of [4, 7]) {
        const view = (sketch: Sketch) => mediaView(sketch, [0, 0, 0, 0, 1, 1, 1, 1], 2, rows);
        await withBlock(view, async (_, __, run) => expectClose(await run(), plain, 1e-6, `${rows} rows`));
      }
    });

    it("has the gradients of differences by all weights, tokens and media together", () =>
      withBlock((sketch) => mediaView(sketch, SEEN, 4, 5), async (sketch, y, run) => {
        const random = new Random(7);
        const upstream = random.normal(TOKENS * WIDTH);
        const { gradients } = await sketch.differentiate(y, upstream);
        const start = new Map([...sketch.values].map(([name, values]) => {
          const size = Math.sqrt(dot(values, values) / values.length);
          return [name, { values, size, gradient: gradients[name]! }];
        }));
        const length = Math.sqrt([...start.values()].reduce((sum, { size, gradient }) => sum + size ** 2 * dot(gradient, gradient), 0));
        for (let i = 0; i < 5; i++) {
          const moves = [...start].map(([name, one]) => ({ name, ...one, direction: random.normal(one.values.length, 0, one.size) }));
          const expected = moves.reduce((sum, { gradient, direction }) => sum + dot(gradient, direction), 0);
          const difference = await slope(1 / 64, async (at) => {
            for (const { name, values, direction } of moves) sketch.set(name, moved(values, direction, at));
            return dot(await run(), upstream);
          });
          expect(Math.abs(difference - expected) / length, `direction ${i}`).toBeLessThan(LIMIT);
        }
      }));

    it("says what does not fit", async () => {
      const sketch = new Sketch(gpu);
      try {
        const view = mediaView(sketch, SEEN.slice(1), 4);
        await expect(block(sketch, view)).rejects.toThrow(/^gatedCrossAttention: expected .* tables of 12 and 8 rows, got media \[2, 6, 5\] and tables \[12, 1\] and \[7, 1\]$/);
      } finally {
        sketch.dispose();
      }
    });
  });
}

describe("sortByMedia", () => {
  it("sorts tokens by what they see and back", () => {
    const { rows, sort, unsort } = sortByMedia([1, -1, 0, 1], 3);
    expect(rows).toBe(2);
    expect([...sort.index]).toEqual([2, 0, 0, 3, 0, 0]);
    expect([...sort.weight]).toEqual([1, 0, 1, 1, 0, 0]);
    expect([...unsort.index]).toEqual([2, 0, 0, 3]);
    expect([...unsort.weight]).toEqual([1, 0, 1, 1]);
    expect(sortByMedia([-1, -1], 2)).toMatchObject({ rows: 1, sort: { weight: new Float32Array(2) } });
  });

  it("says what is wrong", () => {
    expect(() => sortByMedia([0, 2], 2)).toThrow(new ShapeError("sortByMedia: expected media from 0 to 1 or -1 for none, got 2"));
    expect(() => sortByMedia([0.5], 2)).toThrow(/got 0\.5$/);
    expect(() => sortByMedia([0, 0, 0], 2, 2)).toThrow(/^sortByMedia: expected at least 3 rows for each of the media, got 2$/);
  });
});

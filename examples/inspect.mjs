import { Llava } from "llava-webgpu";

const llava = await Llava.load();
const request = { images: ["models/emoji-llava/samples/apple.png"], prompt: "What is this?" };

// Any value that has a path can be captured; a pass that captures nothing pays nothing.
const { logits, captured } = await llava.forward(request, {
  capture: ["projector", "language.layers.*", "language.layers.2.attention.probabilities"],
});
for (const [path, { shape }] of Object.entries(captured)) console.log(path, `[${shape.join(", ")}]`);
console.log("largest logit", Math.max(...logits.data).toFixed(3));

// Where does the last token look? The mean over heads of its attention to the picture, which stands in the prompt as
// 4 x 4 patches of the whole, then as 8 rows of 8 patches of its four tiles, with a newline behind each row.
const { shape, data } = captured["language.layers.2.attention.probabilities"]; // [heads, queries, keys]
const [heads, queries, keys] = shape;
const { source } = await llava.prepare(request); // for every token its image row, or 0xffffffff
const patches = [...source.keys()].filter((token) => source[token] !== 0xffffffff).slice(16);
const weights = patches.map((key) => {
  let sum = 0;
  for (let head = 0; head < heads; head++) sum += data[(head * queries + queries - 1) * keys + key];
  return sum / heads;
});
const rows = Array.from({ length: 8 }, (_, row) => weights.slice(9 * row, 9 * row + 8));
const most = Math.max(...rows.flat());
for (const row of rows) {
  console.log(row.map((weight) => " .:-=+*#%@"[Math.round((9 * weight) / most)].repeat(2)).join(""));
}

await llava.dispose();

import { Llava } from "llava-webgpu";

const llava = await Llava.load();
const request = { images: ["models/emoji-llava/samples/apple.png"], prompt: "What is this?" };

// Any value that has a path can be captured; a pass that captures nothing pays nothing.
const { logits, captured } = await llava.forward(request, {
  capture: ["projector", "language.layers.*", "language.layers.3.attention.probabilities"],
});
for (const [path, { shape }] of Object.entries(captured)) console.log(path, `[${shape.join(", ")}]`);
console.log("largest logit", Math.max(...logits.data).toFixed(3));

// Where does the last token look? The mean over heads of its attention to the 6 x 6 patches of the picture.
const { shape, data } = captured["language.layers.3.attention.probabilities"]; // [heads, queries, keys]
const [heads, queries, keys] = shape;
const { source } = await llava.prepare(request); // for every token its image row, or 0xffffffff
const patches = [...source.keys()].filter((token) => source[token] !== 0xffffffff);
const weights = patches.map((key) => {
  let sum = 0;
  for (let head = 0; head < heads; head++) sum += data[(head * queries + queries - 1) * keys + key];
  return sum / heads;
});
const most = Math.max(...weights);
for (let row = 0; row < 6; row++) {
  console.log(weights.slice(6 * row, 6 * row + 6).map((weight) => " .:-=+*#%@"[Math.round((9 * weight) / most)].repeat(2)).join(""));
}

await llava.dispose();

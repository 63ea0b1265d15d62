import { Llava } from "llava-webgpu";

// A folder with a checkpoint in Hugging Face's layout; without one, the small embedded model.
const llava = await Llava.load(process.argv[2]);
console.log(`on ${llava.adapter.name}`);

const request = {
  images: ["models/emoji-llava/samples/apple.png"], // paths, URLs, Blobs, encoded bytes or raw pixels
  prompt: "What is this?",
};

// All at once ...
const result = await llava.generate(request, { maxNewTokens: 50 });
console.log(result.text, result.finishReason, result.tokens.length);

// ... or as it comes, sampled.
for await (const text of llava.stream(request, { temperature: 0.7, topP: 0.9, seed: 1 })) {
  process.stdout.write(text);
}
console.log();

await llava.dispose();

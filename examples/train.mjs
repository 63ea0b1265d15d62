import { Llava } from "llava-webgpu";
import { collate, Trainer } from "llava-webgpu/train";

const llava = await Llava.load();

// Samples in LLaVA's own JSON.
const samples = [
  {
    id: "apple",
    image: "models/emoji-llava/samples/apple.png",
    conversations: [
      { from: "human", value: "<image>\nWho ate this?" },
      { from: "gpt", value: "Nobody so far." },
    ],
  },
];
const batch = await collate(samples, llava, { template: "v1", system: "", placement: "front", maxLength: 256 });

// Stage 1 would be ["projector"]; this is stage 2. Add "vision" to train the tower too, or `lora` to train adapters.
const trainer = await Trainer.create(llava, {
  trainable: ["projector", "language"],
  learningRate: 1e-3,
  schedule: { kind: "cosine", steps: 12, warmupRatio: 0.03 },
});
for (let step = 0; step < 12; step++) {
  const { loss, gradientNorm } = await trainer.step(batch);
  console.log(`step ${step}: loss ${loss.toFixed(3)}, gradient norm ${gradientNorm.toFixed(2)}`);
}
if (process.argv[2]) await trainer.save(process.argv[2]); // a folder that transformers opens
await trainer.dispose();

const { text } = await llava.generate({ images: [samples[0].image], prompt: "Who ate this?" }, { maxNewTokens: 20 });
console.log(text);
await llava.dispose();

"""Writes reference.jsonl: what Hugging Face transformers generates greedily, in float32, for the questions of eval.jsonl.

    pip install torch==2.13.0 transformers==5.23.0 pillow==12.3.0
    python test/golden/emoji/make.py --model models/emoji-llava --samples models/emoji-llava/samples/samples.json

The first 40 questions have the five best ids and logits of every step too. The answers of samples.json, which the page and
the tests ask for, are written anew in place.
"""
import argparse
import json
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

HERE = Path(__file__).parent
WITH_LOGITS = 40


def messages_of(item):
    """The picture belongs to the first turn."""
    messages = []
    for question, answer in item.get("history", []):
        messages.append({"role": "user", "content": [{"type": "text", "text": question}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    messages.append({"role": "user", "content": [{"type": "text", "text": item["question"]}]})
    messages[0]["content"].insert(0, {"type": "image"})
    return messages


@torch.no_grad()
def answer(item, folder, model, processor, tokens):
    prompt = processor.apply_chat_template(messages_of(item), add_generation_prompt=True)
    image = Image.open(folder / item["image"]).convert("RGB")
    inputs = processor(images=image, text=prompt, return_tensors="pt")
    out = model.generate(**inputs, do_sample=False, max_new_tokens=tokens, output_logits=True, return_dict_in_generate=True)
    prompt_ids = inputs["input_ids"][0].tolist()
    token_ids = out.sequences[0, len(prompt_ids):].tolist()
    record = {
        "id": item.get("id"),
        "prompt": prompt,
        "text": processor.tokenizer.decode(token_ids, skip_special_tokens=True),
        "token_ids": token_ids,
        "input_ids": prompt_ids,
    }
    if item.get("id", WITH_LOGITS) < WITH_LOGITS:
        best = [step[0].float().topk(5) for step in out.logits]
        record["top5"] = [
            {"ids": indices.tolist(), "logits": [round(value, 4) for value in values.tolist()]} for values, indices in best
        ]
    return record


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--output", default=str(HERE / "reference.jsonl"))
    parser.add_argument("--samples")
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args()
    torch.manual_seed(0)
    processor = AutoProcessor.from_pretrained(options.model)
    model = AutoModelForImageTextToText.from_pretrained(options.model, dtype=torch.float32).eval()
    items = [json.loads(line) for line in (HERE / "eval.jsonl").read_text().splitlines()]
    records = [answer(item, HERE, model, processor, options.tokens) for item in items]
    right = sum(record["text"] == item["answer"] for record, item in zip(records, items))
    Path(options.output).write_text("".join(json.dumps(record) + "\n" for record in records))
    print(f"{right} of {len(items)} answers are right")
    if options.samples:
        path = Path(options.samples)
        samples = json.loads(path.read_text())
        for sample in samples:
            record = answer(sample, path.parent, model, processor, options.tokens)
            sample["answer"], sample["token_ids"] = record["text"], record["token_ids"]
            print(f'{sample["image"]}: {sample["question"]} {sample["answer"]}')
        path.write_text(json.dumps(samples, indent=1) + "\n")


if __name__ == "__main__":
    main()

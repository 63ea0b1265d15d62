"""Opens a folder that `trainer.save` wrote with transformers, and compares it with the folder that the training began from.

    python check_saved.py SAVED [ORIGINAL]

Versions that it was run with: Python 3.11, torch 2.13.0, transformers 5.23.0, safetensors 0.8. Tests do not run it.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText


def tensors(folder):
    """All tensors of a folder by their names in its files."""
    found = {}
    for file in sorted(Path(folder).glob("model*.safetensors")):
        found.update(load_file(file))
    return found


def main(saved, original=None):
    model, info = AutoModelForImageTextToText.from_pretrained(saved, output_loading_info=True)
    problems = {kind: sorted(info[kind]) for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[kind]}
    assert not problems, f"transformers opens {saved}, but: {problems}"
    text = model.config.get_text_config()
    ids = torch.arange(3, 9).remainder(text.vocab_size)[None]
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    assert torch.isfinite(logits).all(), "logits are not finite"
    report = {"model": type(model).__name__, "dtype": str(model.dtype), "parameters": model.num_parameters()}
    report["logits"] = [round(value, 5) for value in logits[0, -1, :4].float().tolist()]
    if original:
        before, after = tensors(original), tensors(saved)
        assert list(before) == list(after), "the names of the tensors differ"
        report["changed"] = sum(not torch.equal(before[name].float(), after[name].float()) for name in before)
        report["tensors"] = len(before)
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])

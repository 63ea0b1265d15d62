"""Pre-training of vision towers by labels, in PyTorch float64: losses, gradients, a curve of five AdamW steps, scores.

    python make_tower.py

Writes tower.json and tower.safetensors beside itself, from the checkpoints in ../../tiny. Versions that it was run with:
Python 3.11, torch 2.13.0, transformers 5.23.0, safetensors 0.8. Tests do not run it.
"""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy, layer_norm, linear
from transformers import AutoModelForImageTextToText

HERE = Path(__file__).parent
HEADS = {"concept": 37, "kind": 9, "count": 6}
SEED = 5
PICTURES = 4
CURVE = {"steps": 5, "learningRate": 0.01, "weightDecay": 0.1, "betas": [0.9, 0.95], "eps": 1e-6, "maxGradientNorm": 1.0}


def rounded(value):
    """Nine digits, which tell all float32 values apart."""
    return float(f"{value:.9g}")


class Random:
    """kernels/random.ts: SplitMix with 32 bits, and Box and Muller's normal numbers."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state + 0x9E3779B9) % 2**32
        z = self.state
        z = (z ^ (z >> 16)) * 0x21F0AAAD % 2**32
        z = (z ^ (z >> 15)) * 0x735A2D97 % 2**32
        return (z ^ (z >> 15)) / 2**32

    def normal(self, shape, deviation=1.0):
        def one():
            radius = math.sqrt(-2 * math.log(1 - self.uniform()))
            return deviation * radius * math.cos(2 * math.pi * self.uniform())

        return torch.tensor([one() for _ in range(math.prod(shape))]).float().double().reshape(shape)


def targets(rows, step):
    """Plain, mixed (CutMix), soft and per-cell targets; odd steps have none of the head "count"."""
    quarter = 1 / PICTURES
    made = [{"head": "concept", "picture": i, "label": (7 * i + 3 * step) % 37, "weight": quarter} for i in range(PICTURES - 1)]
    made += [{"head": "concept", "picture": 3, "label": 30, "weight": 0.7 * quarter}]
    made += [{"head": "concept", "picture": 3, "label": 31, "weight": 0.3 * quarter}]
    for label, share in enumerate([0.5, 0.3, 0.2]):
        made += [{"head": "kind", "picture": step % PICTURES, "label": 2 * label, "weight": share}]
    if step % 2 == 0:
        cells = [[0, 1, 2], [rows - 1], list(range(3, rows - 1, 2))]
        made += [{"head": "count", "picture": 1, "patches": cell, "label": i, "weight": 0.1} for i, cell in enumerate(cells)]
    return made


class Tower:
    """A tower with heads, and the names that its weights have in the checkpoint."""

    def __init__(self, folder):
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
        self.config = self.model.config
        config = self.config.vision_config
        layers = self.config.vision_feature_layer
        self.layers = layers if isinstance(layers, list) else [layers]
        width = config.hidden_size * len(self.layers)
        random = Random(SEED)
        self.own = {"pretraining.norm.weight": torch.ones(width).double(), "pretraining.norm.bias": torch.zeros(width).double()}
        for head, classes in HEADS.items():
            self.own[f"pretraining.heads.{head}"] = random.normal((classes, width), 0.02)
        self.own = {name: value.requires_grad_() for name, value in self.own.items()}
        foreign = {name.split("vision_model.")[1]: name for name in load_file(folder / "model.safetensors") if "vision_model." in name}
        self.parameters = dict(self.own)
        for name, value in self.model.named_parameters():
            if "vision_tower." in name:
                tail = name.split("vision_tower.")[1].removeprefix("vision_model.")
                self.parameters[foreign[tail]] = value

    def features(self, pixels):
        tower = self.model.model.vision_tower
        states = tower(pixels, output_hidden_states=True).hidden_states
        features = torch.cat([states[layer] for layer in self.layers], dim=-1)
        return features[:, 1:] if self.config.vision_feature_select_strategy == "default" else features

    def scores(self, pooled, head):
        weight, bias = self.own["pretraining.norm.weight"], self.own["pretraining.norm.bias"]
        normed = layer_norm(pooled, weight.shape, weight, bias, self.config.vision_config.layer_norm_eps)
        return linear(normed, self.own[f"pretraining.heads.{head}"])

    def losses(self, pixels, labelled):
        features = self.features(pixels)
        sums = dict.fromkeys(HEADS, 0.0)
        for target in labelled:
            rows = features[target["picture"]]
            pooled = (rows[target["patches"]] if "patches" in target else rows).mean(0)
            sums[target["head"]] = sums[target["head"]] + target["weight"] * cross_entropy(self.scores(pooled, target["head"]), torch.tensor(target["label"]))
        return sums

    def all_scores(self, pixels):
        with torch.no_grad():
            pooled = self.features(pixels).mean(1)
            return {head: [rounded(score) for score in self.scores(pooled, head).flatten().tolist()] for head in HEADS}


def backward(tower, pixels, labelled):
    """Fills the gradients. Returns the losses by head and the norm over all gradients."""
    for value in tower.parameters.values():
        value.grad = None
    losses = tower.losses(pixels, labelled)
    sum(losses.values()).backward()
    norm = math.sqrt(sum(value.grad.square().sum().item() for value in tower.parameters.values() if value.grad is not None))
    return {head: rounded(loss.item()) if torch.is_tensor(loss) else loss for head, loss in losses.items()}, rounded(norm)


def main():
    golden = {"heads": HEADS, "seed": SEED, "pictures": PICTURES, "models": {}, "curve": {"options": CURVE, "steps": []}}
    for name in ["llava-clip-llama", "llava-siglip", "llava-layer-list", "llava-full"]:
        tower = Tower(HERE / "../../tiny" / name)
        size = tower.config.vision_config.image_size
        pixels = Random(1).normal((PICTURES, 3, size, size))
        rows = tower.features(pixels).shape[1]
        labelled = targets(rows, 0)
        losses, norm = backward(tower, pixels, labelled)
        names = [name for name, value in tower.parameters.items() if value.grad is not None]
        golden["models"][name] = {
            "targets": labelled, "losses": losses, "gradientNorm": norm, "gradients": names, "scores": tower.all_scores(pixels),
        }
        if name == "llava-clip-llama":
            # One layer of the tower stands for all; the norm is over all.
            kept = [name for name in names if "layers.1" not in name]
            save_file({name: tower.parameters[name].grad.float().contiguous() for name in kept}, HERE / "tower.safetensors")
            golden["curve"] |= curve(tower, pixels, rows)
    (HERE / "tower.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


def curve(tower, pixels, rows):
    def decays(name):
        return name.startswith("pretraining.heads.") or not (name.endswith(".bias") or "norm" in name)

    groups = [
        {"params": [value for name, value in tower.parameters.items() if decays(name) == kind], "weight_decay": kind * CURVE["weightDecay"]}
        for kind in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=CURVE["learningRate"], betas=CURVE["betas"], eps=CURVE["eps"])
    steps = []
    for step in range(CURVE["steps"]):
        rate = CURVE["learningRate"] * 0.5 * (1 + math.cos(math.pi * step / CURVE["steps"]))
        labelled = targets(rows, step)
        losses, norm = backward(tower, pixels, labelled)
        torch.nn.utils.clip_grad_norm_(tower.parameters.values(), CURVE["maxGradientNorm"])
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        steps.append({"targets": labelled, "losses": losses, "gradientNorm": norm, "learningRate": rate})
    return {"steps": steps, "scores": tower.all_scores(pixels)}


if __name__ == "__main__":
    main()

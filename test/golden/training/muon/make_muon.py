"""Muon beside AdamW in PyTorch float64: single matrices over three steps, and a curve of ten steps of a whole model.

    python make_muon.py

Writes matrices.json, curve.json and curve.safetensors beside itself, from the model and the batches of ../model/llava and
../curves. The optimizers are PyTorch's own, but that Muon's Newton-Schulz iteration keeps the type of its input, where
PyTorch's goes down to bfloat16. Tolerances come from the same run in float32. Versions that it was run with: Python 3.11,
torch 2.13.0, transformers 5.23.0, safetensors 0.8. Tests do not run it.
"""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy
from torch.optim import _muon as muon
from transformers import AutoModelForImageTextToText

HERE = Path(__file__).parent
MODEL = HERE / "../model/llava"
BATCHES = load_file(HERE / "../curves/batches.safetensors")
SETTINGS = {
    "model": "llava", "learns": "full", "base_learning_rate": 2e-3, "rates": {"vision_tower": 4e-3, "multi_modal_projector": 1e-3},
    "weight_decay": 0.1, "accumulation": 1, "normalise": "tokens", "parameters_without_gradient": "skip", "betas": [0.9, 0.99],
    "eps": 1e-8, "max_norm": 1.0, "warmup_steps": 1, "steps": 10, "momentum": 0.9, "adamw_rate_factor": 0.5,
}
MICRO_BATCHES = [0, 1, 4, 3, 0, 2, 1, 4, 0, 3]  # 4 is text alone


def newton_schulz(update, coefficients, steps, eps):
    """PyTorch's function of the same arguments, in the type of the update."""
    a, b, c = coefficients
    tall = update.size(0) > update.size(1)
    x = update.T if tall else update
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


muon._zeropower_via_newtonschulz = newton_schulz


def matrices():
    """Every kind of shape; a gradient of rank 1, one of zero, and tiny ones, which the normalisation must lift."""
    torch.manual_seed(0)
    made = []
    for shape, scale in [((8, 8), 1), ((12, 20), 1), ((20, 12), 1e-4), ((7, 13), 1), ((1, 5), 1), ((5, 1), 1), ((6, 10), "rank 1"), ((4, 6), 0)]:
        value = torch.randn(shape).double()
        gradients = [torch.randn(shape) for _ in range(3)]
        if scale == "rank 1":
            gradients = [torch.outer(gradient[:, 0], gradients[0][0]) for gradient in gradients]
        else:
            gradients = [gradient * scale for gradient in gradients]
        parameter = torch.nn.Parameter(value.clone())
        optimizer = torch.optim.Muon([parameter], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
        for gradient in gradients:
            parameter.grad = gradient.double()
            optimizer.step()
        made.append({
            "shape": list(shape), "start": listed(value), "gradients": [listed(gradient) for gradient in gradients],
            "end": listed(parameter.detach()), "m": listed(optimizer.state[parameter]["momentum_buffer"]),
        })
    (HERE / "matrices.json").write_text(json.dumps({"learningRate": 0.02, "weightDecay": 0.1, "matrices": made}, separators=(",", ":")) + "\n")


def listed(tensor):
    """Nine digits, which tell all float32 values apart."""
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def file_name(name):
    """What the checkpoint calls a parameter of transformers' model."""
    name = name.replace("lm_head.", "language_model.lm_head.").replace("model.language_model.", "language_model.model.")
    return name.removeprefix("model.")


def part(name):
    return next((one for one in SETTINGS["rates"] if name.startswith(one)), "base")


def is_muon(name, value):
    return value.ndim == 2 and (".layers." in name or name.startswith("multi_modal_projector."))


def decays(name):
    return not (name.endswith(".bias") or "norm" in name or "layrnorm" in name)


def run(dtype):
    """Ten steps. Returns steps, the values of what learns before and after each, and the final momentum of what Muon moved."""
    model = AutoModelForImageTextToText.from_pretrained(MODEL, dtype=dtype, attn_implementation="eager").eval()
    parameters = {file_name(name): value for name, value in model.named_parameters()}
    assert set(parameters) == set(load_file(MODEL / "model.safetensors"))
    groups = {}
    for name, value in parameters.items():
        groups.setdefault((part(name), decays(name), is_muon(name, value)), []).append(name)

    def options(key):
        return {"params": [parameters[name] for name in groups[key]], "weight_decay": key[1] * SETTINGS["weight_decay"], "key": key}

    optimizers = [
        torch.optim.Muon([options(key) for key in groups if key[2]], momentum=SETTINGS["momentum"], adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([options(key) for key in groups if not key[2]], betas=SETTINGS["betas"], eps=SETTINGS["eps"]),
    ]
    steps, values = [], [{name: value.detach().clone() for name, value in parameters.items()}]
    for step, number in enumerate(MICRO_BATCHES):
        warm, total = SETTINGS["warmup_steps"], SETTINGS["steps"]
        factor = step / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))
        batch = {key.split("/")[1]: value for key, value in BATCHES.items() if key.startswith(f"{number}/")}
        labels = batch.pop("labels").long()
        if "pixel_values" in batch:
            batch["pixel_values"] = batch["pixel_values"].to(dtype)
        model.zero_grad(set_to_none=True)
        loss = cross_entropy(model(**batch).logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), SETTINGS["max_norm"])
        rates = {}
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                name, _, by_muon = group["key"]
                rates[name] = factor * SETTINGS["rates"].get(name, SETTINGS["base_learning_rate"])
                group["lr"] = rates[name] * (1 if by_muon else SETTINGS["adamw_rate_factor"])
            optimizer.step()
        steps.append({"micro_batches": [number], "learning_rates": rates, "loss": loss.item(), "gradient_norm": norm.item()})
        values.append({name: value.detach().clone() for name, value in parameters.items()})
    # The last layer of the tower, which the connector does not read, has no state.
    momentum = {name: optimizers[0].state[value]["momentum_buffer"] for name, value in parameters.items() if value in optimizers[0].state}
    unused = {name for name, value in parameters.items() if not any(value in optimizer.state for optimizer in optimizers)}
    return groups, steps, [{name: one[name] for name in one if name not in unused} for one in values], momentum


def curve():
    groups, steps, values, momentum = run(torch.float64)
    _, rough_steps, rough_values, rough_momentum = run(torch.float32)

    def noise(exact, rough):
        """What float32 leaves open, and never less than a few of its last places."""
        return 2 * max((exact - rough).abs().max().item(), 2e-7 * exact.abs().max().item())

    def of_steps(key):
        return noise(*(torch.tensor([step[key] for step in one], dtype=torch.float64) for one in (steps, rough_steps)))

    names = list(values[0])
    tolerance = {
        "loss": of_steps("loss"), "gradient_norm": of_steps("gradient_norm"),
        "parameters": {name: max(noise(exact[name], rough[name]) for exact, rough in zip(values, rough_values)) for name in names},
        "moments": {name: noise(momentum[name], rough_momentum[name]) for name in momentum},
    }
    kept = [name for name in names if "layers.0" in name or name.startswith("multi_modal_projector.") or "norm" in name]
    stored = {f"slice/{name}": torch.stack([value[name].flatten()[:8] for value in values]) for name in names}
    stored |= {f"final/{name}": values[-1][name] for name in kept}
    stored |= {f"momentum/{name}": momentum[name] for name in kept if name in momentum}
    save_file({name: value.float().contiguous() for name, value in stored.items()}, HERE / "curve.safetensors")
    parts = list(dict.fromkeys(key[0] for key in groups))
    for step in steps:
        step["learning_rates"] = [step["learning_rates"][key[0]] for key in groups]
    listing = [
        {"part": key[0], "weight_decay": key[1] * SETTINGS["weight_decay"], "muon": key[2], "parameters": group} for key, group in groups.items()
    ]
    print({name: f"{value:.1e}" for name, value in tolerance["parameters"].items()}, parts)
    print({name: tolerance[name] for name in ("loss", "gradient_norm")}, steps[0], steps[-1])
    (HERE / "curve.json").write_text(json.dumps({"settings": SETTINGS, "groups": listing, "steps": steps, "tolerance": tolerance}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    matrices()
    curve()

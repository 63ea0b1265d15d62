"""Training steps of transformers' LLaVA on the CPU, in f32, timed beside ours.

Requests come as lines of JSON on standard input, one answer each on standard output:

    {"load": {"folder": ..., "batch": ..., "frozen": [...], "learningRate": ...}}  -> {"loss", "gradientNorm"} of a first step
    {"run": n}  -> {"time", "cpu"} in milliseconds: n further steps on the same batch

`frozen` are beginnings of the names of parameters that do not learn; `batch` is a safetensors file.
"""

import json
import os
import sys
import time

import torch
import transformers
from safetensors.torch import load_file

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
torch.set_num_threads(THREADS)


class Training:
    def __init__(self, folder, batch, frozen, learningRate):
        self.model = transformers.LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).train()
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not name.startswith(tuple(frozen)))
        self.learning = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(self.learning, lr=learningRate, weight_decay=0.0)
        tensors = load_file(batch)
        whole = ("input_ids", "labels", "attention_mask")
        self.batch = {name: tensor.long() if name in whole else tensor for name, tensor in tensors.items()}

    def step(self):
        self.optimizer.zero_grad()
        loss = self.model(**self.batch, use_cache=False).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.learning, 1.0)
        self.optimizer.step()
        return loss.item(), norm.item()


training = None


def answer(request):
    global training
    if "load" in request:
        training = None
        training = Training(**request["load"])
        loss, norm = training.step()
        return {"loss": loss, "gradientNorm": norm}
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(request["run"]):
        training.step()
    return {"time": 1e3 * (time.perf_counter() - began), "cpu": 1e3 * (time.process_time() - cpu)}


print(json.dumps({"name": f"PyTorch {torch.__version__}, {THREADS} threads"}), flush=True)
for line in sys.stdin:
    try:
        print(json.dumps(answer(json.loads(line))), flush=True)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}".splitlines()[0]}), flush=True)

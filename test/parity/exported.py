"""What transformers, and PEFT for adapters, say of exported folders; see exported.slow.test.ts.

    python exported.py JOBS.json      # beside each folder: OUT.json, OUT.logits.safetensors

JOBS: {"prompts": [[ids]], "count": n, "texts": [text], "jobs": [{"folder", "adapter"?, "out"}]}. Float32.
"""
import json
import sys

import torch
from peft import PeftModel
from reference import said_by
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(1)
with open(sys.argv[1]) as file:
    asked = json.load(file)

for job in asked['jobs']:
    model, loading = AutoModelForCausalLM.from_pretrained(job['folder'], dtype=torch.float32, output_loading_info=True)
    architecture = type(model).__name__
    adapted = 0
    if 'adapter' in job:
        model = PeftModel.from_pretrained(model, job['adapter'])
        adapted = sum('lora_A' in name for name, _ in model.named_parameters())
    spoken, logits = said_by(model.eval(), asked['prompts'], asked['count'])
    save_file(logits, f'{job["out"]}.logits.safetensors')
    tokenizer = AutoTokenizer.from_pretrained(job['folder'])
    with open(f'{job["out"]}.json', 'w') as file:
        json.dump(dict(
            spoken,
            architecture=architecture,
            adapted=adapted,
            # Names that the file lacked or held in vain.
            strange=[sorted(loading[kind]) for kind in ('missing_keys', 'unexpected_keys', 'mismatched_keys')],
            ids=[tokenizer(text).input_ids for text in asked['texts']],
            special=[tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id],
        ), file)

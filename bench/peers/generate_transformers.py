"""`transformers.generate` on the weights and prompts of the order: greedy, inference_mode, sorted by length, padded on the left.

    python bench/peers/generate_transformers.py order.json

Of the batch sizes allowed it takes the one that was fastest on the first slice.
"""

import time

import torch
import transformers
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from slices import order, serve


class Ungated(nn.Module):
    """The tiny model's feed-forward block, which Llama does not have."""

    def __init__(self, d, wide):
        super().__init__()
        self.up_proj = nn.Linear(d, wide, bias=False)
        self.down_proj = nn.Linear(wide, d, bias=False)

    def forward(self, x):
        return self.down_proj(F.relu(self.up_proj(x)))


def model_of(work):
    config = work["config"]
    rope = {"rope_type": "default", "rope_theta": config["ropeTheta"]}
    newer = int(transformers.__version__.split(".")[0]) >= 5
    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=config["vocabSize"],
            hidden_size=config["dModel"],
            intermediate_size=config["dFF"],
            num_hidden_layers=config["layers"],
            num_attention_heads=config["heads"],
            num_key_value_heads=config.get("kvHeads") or config["heads"],
            max_position_embeddings=config["context"],
            rms_norm_eps=config["normEpsilon"],
            tie_word_embeddings=config["tiedEmbeddings"],
            attn_implementation="sdpa",
            **({"rope_parameters": rope} if newer else {"rope_theta": config["ropeTheta"]}),
        )
    )
    if config["activation"] == "relu":
        for layer in llama.model.layers:
            layer.mlp = Ungated(config["dModel"], config["dFF"])
    missing, unexpected = llama.load_state_dict(load_file(work["model"]["path"]), strict=False)
    tied = {"lm_head.weight"} if config["tiedEmbeddings"] else set()
    assert not unexpected and set(missing) <= tied, (missing, unexpected)
    llama.tie_weights()
    return llama.float().eval()


def prepare():
    work = order()
    torch.set_num_threads(work["threads"])
    transformers.logging.set_verbosity_error()
    model = model_of(work)
    end, pad, rows, per_slice = work["end"], work["pad"], work["rows"], work["rowsPerSlice"]
    model.generation_config = transformers.GenerationConfig(
        do_sample=False, max_new_tokens=work["maxNewTokens"], eos_token_id=end, pad_token_id=pad
    )

    def rows_of(n):
        slices = max(1, len(rows) // per_slice)
        return [row["ids"] for row in rows[(n % slices) * per_slice :][:per_slice]]

    def generate(n, batch_size):
        tokens = 0
        prompts = sorted(rows_of(n), key=len)
        for at in range(0, len(prompts), batch_size):
            batch = prompts[at : at + batch_size]
            width = max(map(len, batch))
            ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in batch])
            mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in batch])
            with torch.inference_mode():
                new = model.generate(input_ids=ids, attention_mask=mask)[:, width:]
            if end is None:
                tokens += new.numel()
            else:
                ended = (new == end).int()
                # Up to and with the first end mark; behind it is padding.
                tokens += int((ended.cumsum(1) - ended == 0).sum())
        return tokens

    speeds = {}
    for batch_size in work["batchSizes"]:
        began = time.perf_counter()
        tokens = generate(0, batch_size)
        speeds[batch_size] = tokens / (time.perf_counter() - began)
    best = max(speeds, key=speeds.get)
    return {
        "name": f"transformers {transformers.__version__}",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "batchSize": best,
        "tried": ", ".join(f"{size}: {speed:.0f} tokens/s" for size, speed in speeds.items()),
        "meanNewTokens": round(tokens / len(rows_of(0)), 1),
    }, lambda n: generate(n, best)


serve(prepare)

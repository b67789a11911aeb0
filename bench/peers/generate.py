"""transformers.generate on a random Llama of the asked shape; lengths are given, so that both sides make the same tokens.

A line of JSON each way over standard input and output:
    parent: {"threads", "shape": DecoderConfig}                               child: {"ready": "torch …, transformers …"}
    parent: {"batch": 64, "prompts": [[ids], …], "lengths": [n, …]}           child: {"seconds", "cpu", "tokens"}

As a user would call it: float32, inference_mode, left padding, sorted by the prompt's length (and, in our peer's favour, by
the completion's), a batch at a time; a batch ends when its last row does.
"""

import json
import sys
import time

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, StoppingCriteria, StoppingCriteriaList

PAD, END = 0, 1


class Lengths(StoppingCriteria):
    def __init__(self, prompt, lengths):
        self.prompt, self.lengths = prompt, torch.tensor(lengths)

    def __call__(self, input_ids, scores, **_):
        return input_ids.shape[1] - self.prompt >= self.lengths


def main():
    order = json.loads(sys.stdin.readline())
    torch.set_num_threads(order["threads"])
    torch.manual_seed(0)
    shape = order["shape"]
    config = LlamaConfig(
        vocab_size=shape["vocabSize"],
        hidden_size=shape["dModel"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape.get("kvHeads", shape["heads"]),
        intermediate_size=shape["dFF"],
        hidden_act="silu" if shape["activation"] == "swiglu" else "relu",
        max_position_embeddings=shape["context"],
        tie_word_embeddings=shape["tiedEmbeddings"],
        pad_token_id=PAD,
        bos_token_id=None,
        eos_token_id=END,
    )
    model = LlamaForCausalLM(config).eval()
    print(json.dumps({"ready": f"torch {torch.__version__}, transformers {transformers.__version__}"}), flush=True)
    for line in sys.stdin:
        work = json.loads(line)
        rows = sorted(zip(work["prompts"], work["lengths"]), key=lambda row: (len(row[0]), row[1]))
        tokens = 0
        cpu, start = time.process_time(), time.perf_counter()
        for at in range(0, len(rows), work["batch"]):
            part = rows[at : at + work["batch"]]
            longest = max(len(prompt) for prompt, _ in part)
            ids = torch.tensor([[PAD] * (longest - len(prompt)) + prompt for prompt, _ in part])
            mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt, _ in part])
            lengths = [length for _, length in part]
            with torch.inference_mode():
                model.generate(
                    ids,
                    attention_mask=mask,
                    do_sample=False,
                    max_new_tokens=max(lengths),
                    eos_token_id=None,
                    pad_token_id=PAD,
                    stopping_criteria=StoppingCriteriaList([Lengths(longest, lengths)]),
                )
            tokens += sum(lengths)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        print(json.dumps({"seconds": seconds, "cpu": cpu, "tokens": tokens}), flush=True)


main()

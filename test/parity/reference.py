"""What a model of transformers says; nothing is padded here.

    python reference.py FOLDER PROMPTS.json OUT      # OUT.json: greedy tokens and gaps; OUT.logits.safetensors

The model is AutoModelForCausalLM of the folder, float32; the prompts are lists of ids.
"""
import json
import sys

import torch


def by_length(rows):
    """Places of rows of one length: they go through the model together, none padded."""
    groups = {}
    for place, row in enumerate(rows):
        groups.setdefault(len(row), []).append(place)
    return groups.values()


@torch.no_grad()
def greedy(model, prompts, count):
    """For each prompt the tokens, and at each the distance between the two likeliest."""
    said, gaps = [[] for _ in prompts], [[] for _ in prompts]
    for group in by_length(prompts):
        cache, step = None, torch.tensor([prompts[place] for place in group])
        for _ in range(count):
            out = model(step, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            top = out.logits[:, -1].topk(2)
            step = top.indices[:, :1]
            for row, place in enumerate(group):
                said[place].append(int(step[row, 0]))
                gaps[place].append(float(top.values[row, 0] - top.values[row, 1]))
    return said, gaps


@torch.no_grad()
def after(model, rows):
    """Logits of what follows each row."""
    found = [None] * len(rows)
    for group in by_length(rows):
        logits = model(torch.tensor([rows[place] for place in group])).logits[:, -1]
        for row, place in enumerate(group):
            found[place] = logits[row].clone()
    return torch.stack(found)


def said_by(model, prompts, count):
    """As JSON, and as tensors: what follows each prompt, and what follows it and all but the last token; no cache in these."""
    said, gaps = greedy(model, prompts, count)
    whole = [prompt + tokens[:-1] for prompt, tokens in zip(prompts, said)]
    return dict(prompts=prompts, greedy=said, gaps=gaps), dict(first=after(model, prompts), last=after(model, whole))


if __name__ == '__main__':
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    folder, file, out = sys.argv[1:]
    torch.set_num_threads(2)
    with open(file) as opened:
        asked = json.load(opened)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    spoken, logits = said_by(model, asked['prompts'], asked['count'])
    save_file(logits, f'{out}.logits.safetensors')
    with open(f'{out}.json', 'w') as opened:
        json.dump(dict(spoken, architecture=type(model).__name__), opened)

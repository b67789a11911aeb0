"""Tiny random models of each family by transformers, and what they say: logits, greedy tokens, gradients.

    python families.py OUT      # OUT/<name>.safetensors (weights by our names), OUT/<name>.reference.safetensors, OUT/<name>.json

Needs torch, transformers and safetensors. Float32, one row at a time: nothing is padded here.
"""
import json
import re
import sys

import torch
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM, GPT2Config, GPTJConfig, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config,
)

# Threads that wait for each other cost more than these sizes are worth.
torch.set_num_threads(1)
OUT = sys.argv[1]
VOCAB, D, LAYERS, HEADS, FF, CONTEXT = 96, 48, 3, 4, 80, 128
PROMPTS, NEW = 20, 64

common = dict(vocab_size=VOCAB, hidden_size=D, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=FF,
              max_position_embeddings=CONTEXT, rope_theta=1000.0, rms_norm_eps=1e-6, bos_token_id=0, eos_token_id=0, pad_token_id=0)
gpt = dict(vocab_size=VOCAB, n_embd=D, n_layer=LAYERS, n_head=HEADS, n_inner=FF, n_positions=CONTEXT, resid_pdrop=0.0,
           embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0)
ours = dict(vocabSize=VOCAB, dModel=D, layers=LAYERS, heads=HEADS, dFF=FF, context=CONTEXT, ropeTheta=1000)
swiglu = dict(ours, activation='swiglu', normEpsilon=1e-6)

FAMILIES = {
    'gpt2': (GPT2Config(**gpt), dict(ours, activation='gelu-tanh', norm='layer', positions='learned',
                                     biases=dict(qkv=True, o=True, mlp=True), tiedEmbeddings=True)),
    'gptj': (GPTJConfig(**gpt, rotary_dim=8, tie_word_embeddings=False),
             dict(ours, ropeTheta=10000, activation='gelu-tanh', norm='layer', parallel=True, rotaryWidth=8,
                  rotaryPairs='neighbours', biases=dict(mlp=True, head=True), tiedEmbeddings=False)),
    'llama': (LlamaConfig(**common, num_key_value_heads=4, tie_word_embeddings=False), dict(swiglu, tiedEmbeddings=False)),
    'llama-grouped': (LlamaConfig(**common, num_key_value_heads=2, tie_word_embeddings=True),
                      dict(swiglu, kvHeads=2, tiedEmbeddings=True)),
    'mistral': (MistralConfig(**common, num_key_value_heads=2, head_dim=16, sliding_window=None, tie_word_embeddings=False),
                dict(swiglu, kvHeads=2, headWidth=16, tiedEmbeddings=False)),
    'qwen2': (Qwen2Config(**common, num_key_value_heads=2, tie_word_embeddings=True),
              dict(swiglu, kvHeads=2, biases=dict(qkv=True), tiedEmbeddings=True)),
    'qwen3': (Qwen3Config(**common, num_key_value_heads=2, head_dim=20, tie_word_embeddings=True),
              dict(swiglu, kvHeads=2, headWidth=20, qkNorm=True, tiedEmbeddings=True)),
    'qwen3-untied': (Qwen3Config(**common, num_key_value_heads=1, head_dim=12, tie_word_embeddings=False),
                     dict(swiglu, kvHeads=1, headWidth=12, qkNorm=True, tiedEmbeddings=False)),
}

RENAMES = [
    (r'^transformer\.wte\.', 'model.embed_tokens.'), (r'^transformer\.wpe\.', 'model.embed_positions.'),
    (r'^transformer\.ln_f\.', 'model.norm.'), (r'^transformer\.h\.', 'model.layers.'),
    (r'\.ln_1\.', '.input_layernorm.'), (r'\.ln_2\.', '.post_attention_layernorm.'),
    (r'\.attn\.(q|k|v)_proj\.', r'.self_attn.\1_proj.'), (r'\.attn\.(c_proj|out_proj)\.', '.self_attn.o_proj.'),
    (r'\.mlp\.(c_fc|fc_in)\.', '.mlp.up_proj.'), (r'\.mlp\.(c_proj|fc_out)\.', '.mlp.down_proj.'),
]


def renamed(tensors, tied):
    """By our names; what GPT-2's Conv1D stores as [in, out], and as one of three, comes out as [out, in] each."""
    result = {}
    for name, value in tensors.items():
        if tied and name == 'lm_head.weight':
            continue
        if re.search(r'\.(c_attn|c_proj|c_fc)\.weight$', name):
            value = value.T
        if '.attn.c_attn.' in name:
            for part, piece in zip('qkv', value.chunk(3)):
                result[re.sub(r'^transformer\.h', 'model.layers', name).replace('attn.c_attn', f'self_attn.{part}_proj')] = piece
            continue
        for pattern, replacement in RENAMES:
            name = re.sub(pattern, replacement, name)
        result[name] = value
    return {name: value.detach().to(torch.float32).contiguous().clone() for name, value in result.items()}


def greedy(model, prompt):
    ids, gaps = list(prompt), []
    with torch.no_grad():
        for _ in range(NEW):
            top = model(torch.tensor([ids])).logits[0, -1].topk(2)
            gaps.append(float(top.values[0] - top.values[1]))
            ids.append(int(top.indices[0]))
    return ids[len(prompt):], gaps


for name, (config, described) in FAMILIES.items():
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(config).to(torch.float32).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            # Away from zero biases and gains of one, so that what forgets them is seen.
            spread = 0.3 if parameter.dim() == 1 else 1.5 / parameter.shape[-1] ** 0.5
            centre = 1.0 if parameter.dim() == 1 and not key.endswith('bias') else 0.0
            parameter.copy_(centre + spread * torch.randn_like(parameter))
    tied = described['tiedEmbeddings']
    draw = torch.Generator().manual_seed(11)
    prompts = [torch.randint(1, VOCAB, (1 + (3 * n) % 8,), generator=draw).tolist() for n in range(PROMPTS)]
    with torch.no_grad():
        logits = torch.stack([model(torch.tensor([prompt])).logits[0, -1] for prompt in prompts])
    continued = [greedy(model, prompt) for prompt in prompts]
    rows = [torch.randint(1, VOCAB, (4 + (5 * n) % 17,), generator=draw).tolist() for n in range(6)]
    starts = [1 + n % 3 for n in range(6)]
    loss, count = 0.0, 0
    for row, start in zip(rows, starts):
        said = model(torch.tensor([row])).logits[0]
        loss = loss + torch.nn.functional.cross_entropy(said[start - 1:-1], torch.tensor(row[start:]), reduction='sum')
        count += len(row) - start
    (loss / count).backward()
    gradients = {key: parameter.grad for key, parameter in model.named_parameters()}
    save_file(renamed(dict(model.named_parameters()), tied), f'{OUT}/{name}.safetensors')
    save_file({'logits': logits.contiguous(), **renamed(gradients, tied)}, f'{OUT}/{name}.reference.safetensors')
    with open(f'{OUT}/{name}.json', 'w') as file:
        json.dump(dict(config=described, prompts=prompts, greedy=[ids for ids, _ in continued], gaps=[g for _, g in continued],
                       rows=rows, starts=starts, loss=float(loss.detach())), file)

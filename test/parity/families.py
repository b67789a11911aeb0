"""Tiny random models of each family by transformers, and what they say: logits, greedy tokens, gradients.

    python families.py OUT      # OUT/<name>/ (as save_pretrained writes it), OUT/<name>.reference.safetensors, OUT/<name>.json

Needs torch, transformers and safetensors. Float32; nothing is padded here.
"""
import json
import sys

import torch
from reference import said_by
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM, GPT2Config, GPTJConfig, LlamaConfig, MistralConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen3Config,
)

# Threads that wait for each other cost more than these sizes are worth.
torch.set_num_threads(1)
OUT = sys.argv[1]
VOCAB, D, LAYERS, HEADS, FF, CONTEXT = 96, 48, 3, 4, 80, 128
PROMPTS, NEW = 20, 64
RANK, ALPHA = 3, 6

ends = dict(bos_token_id=0, eos_token_id=0)
common = dict(vocab_size=VOCAB, hidden_size=D, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=FF,
              max_position_embeddings=CONTEXT, rope_theta=1000.0, rms_norm_eps=1e-6, pad_token_id=0, **ends)
gpt = dict(vocab_size=VOCAB, n_embd=D, n_layer=LAYERS, n_head=HEADS, n_inner=FF, n_positions=CONTEXT, resid_pdrop=0.0,
           embd_pdrop=0.0, attn_pdrop=0.0, **ends)

# The second of each family is an odd one: heads of another width, one head of keys, untied, biases, few dimensions that turn.
FAMILIES = {
    'gpt2': GPT2Config(**gpt),
    'gpt2-untied': GPT2Config(**{**gpt, 'n_inner': None}, activation_function='gelu', tie_word_embeddings=False,
                              layer_norm_epsilon=1e-3),
    'gptj': GPTJConfig(**gpt, rotary_dim=8, tie_word_embeddings=False),
    'gptj-little-turn': GPTJConfig(**{**gpt, 'n_head': 3}, rotary_dim=2, activation_function='relu', tie_word_embeddings=False),
    'llama': LlamaConfig(**common, num_key_value_heads=4, tie_word_embeddings=False),
    'llama-grouped': LlamaConfig(**common, num_key_value_heads=2, tie_word_embeddings=True),
    'llama-odd': LlamaConfig(**common, num_key_value_heads=1, head_dim=20, attention_bias=True, mlp_bias=True,
                             tie_word_embeddings=False),
    'mistral': MistralConfig(**common, num_key_value_heads=2, head_dim=16, sliding_window=None, tie_word_embeddings=False),
    'mistral-odd': MistralConfig(**common, num_key_value_heads=1, head_dim=6, sliding_window=4096, tie_word_embeddings=True),
    'qwen2': Qwen2Config(**common, num_key_value_heads=2, tie_word_embeddings=True),
    'qwen2-untied': Qwen2Config(**{**common, 'rope_theta': 5e5}, num_key_value_heads=4, tie_word_embeddings=False),
    'qwen3': Qwen3Config(**common, num_key_value_heads=2, head_dim=20, tie_word_embeddings=True),
    'qwen3-odd': Qwen3Config(**common, num_key_value_heads=1, head_dim=12, attention_bias=True, tie_word_embeddings=False),
}
# Written in several files.
SHARDED = {'llama-odd'}
ADAPTED = {'llama-grouped', 'qwen3'}


def write_tokenizer(folder):
    """One token a character: the smallest that save_pretrained writes."""
    vocabulary = {'<|end|>': 0, **{chr(32 + n): n for n in range(1, 95)}, 'Ġ': 95}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token='<|end|>').save_pretrained(folder)


def lively(model):
    """Away from zero biases and gains of one, so that what forgets them is seen."""
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            spread = 0.3 if parameter.dim() == 1 else 1.5 / parameter.shape[-1] ** 0.5
            centre = 1.0 if parameter.dim() == 1 and not key.endswith('bias') else 0.0
            parameter.copy_(centre + spread * torch.randn_like(parameter))


class Adapted(torch.nn.Module):
    """LoRA as its paper has it: W x + alpha/rank · B A x, W frozen."""

    def __init__(self, base):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A = torch.nn.Parameter(torch.randn(RANK, base.in_features) / base.in_features ** 0.5)
        self.B = torch.nn.Parameter(torch.randn(base.out_features, RANK) * 0.3)

    def forward(self, x):
        return self.base(x) + ALPHA / RANK * (x @ self.A.T @ self.B.T)


def adapt(model):
    """Puts factors on every projection; gives them by the names that PEFT has for them."""
    model.requires_grad_(False)
    factors = {}
    for name, module in list(model.named_modules()):
        if isinstance(module, torch.nn.Linear) and name.endswith('_proj'):
            parent, _, child = name.rpartition('.')
            setattr(model.get_submodule(parent), child, adapted := Adapted(module))
            for factor in 'AB':
                factors[f'base_model.model.{name}.lora_{factor}.weight'] = getattr(adapted, factor)
    return factors


def mean_loss(model, rows, starts):
    loss, count = 0.0, 0
    for row, start in zip(rows, starts):
        said = model(torch.tensor([row])).logits[0]
        loss = loss + torch.nn.functional.cross_entropy(said[start - 1:-1], torch.tensor(row[start:]), reduction='sum')
        count += len(row) - start
    return loss / count


def whole(tensors):
    return {name: value.detach().contiguous().clone() for name, value in tensors.items()}


for name, config in FAMILIES.items():
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(config).to(torch.float32).eval()
    lively(model)
    folder = f'{OUT}/{name}'
    model.save_pretrained(folder, **({'max_shard_size': '40KB'} if name in SHARDED else {}))
    write_tokenizer(folder)
    draw = torch.Generator().manual_seed(11)
    prompts = [torch.randint(1, VOCAB, (1 + (3 * n) % 8,), generator=draw).tolist() for n in range(PROMPTS)]
    spoken, logits = said_by(model, prompts, NEW)
    rows = [torch.randint(1, VOCAB, (4 + (5 * n) % 17,), generator=draw).tolist() for n in range(6)]
    starts = [1 + n % 3 for n in range(6)]
    loss = mean_loss(model, rows, starts)
    loss.backward()
    gradients = {key: parameter.grad for key, parameter in model.named_parameters()}
    save_file(whole(gradients), f'{OUT}/{name}.gradients.safetensors')
    save_file(logits, f'{OUT}/{name}.logits.safetensors')
    reference = dict(spoken, rows=rows, starts=starts, loss=float(loss.detach()))
    if name in ADAPTED:
        factors = adapt(model)
        adapted_loss = mean_loss(model, rows, starts)
        adapted_loss.backward()
        reference['adapter'] = dict(rank=RANK, alpha=ALPHA, loss=float(adapted_loss.detach()))
        save_file(whole(factors), f'{OUT}/{name}.factors.safetensors')
        save_file(whole({key: factor.grad for key, factor in factors.items()}), f'{OUT}/{name}.factor-gradients.safetensors')
    with open(f'{OUT}/{name}.json', 'w') as file:
        json.dump(reference, file)

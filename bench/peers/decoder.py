"""A Llama-like decoder in PyTorch, with the tensor names of our checkpoints: RMSNorm, rotary positions, no biases.

What `transformers` cannot express is the feed-forward block of the tiny model (ReLU without a gate); with a gate it is Llama's.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Linear(nn.Module):
    """x Wᵀ, with a low-rank adapter where `rank` is given: then only the adapter is trained."""

    def __init__(self, inputs, outputs, rank=None):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs), requires_grad=rank is None)
        self.rank = rank
        if rank is not None:
            self.lora_a = nn.Parameter(torch.randn(rank, inputs) / inputs**0.5)
            self.lora_b = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x):
        y = F.linear(x, self.weight)
        if self.rank is None:
            return y
        # alpha = 2 × rank, the usual choice
        return y + F.linear(F.linear(x, self.lora_a), self.lora_b) * 2.0


class Attention(nn.Module):
    def __init__(self, config, rank):
        super().__init__()
        d, self.heads = config["dModel"], config["heads"]
        self.kv_heads = config.get("kvHeads") or self.heads
        self.width = d // self.heads
        self.q_proj = Linear(d, d, rank)
        self.k_proj = Linear(d, self.kv_heads * self.width, rank)
        self.v_proj = Linear(d, self.kv_heads * self.width, rank)
        self.o_proj = Linear(d, d, rank)

    def forward(self, x, cos, sin):
        batch, time, d = x.shape
        split = lambda y, heads: y.view(batch, time, heads, self.width).transpose(1, 2)
        q, k = split(self.q_proj(x), self.heads), split(self.k_proj(x), self.kv_heads)
        v = split(self.v_proj(x), self.kv_heads)
        q, k = rotated(q, cos, sin), rotated(k, cos, sin)
        # Rows are padded on the right, so the causal mask hides the padding too.
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.kv_heads != self.heads)
        return self.o_proj(y.transpose(1, 2).reshape(batch, time, d))


def rotated(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class FeedForward(nn.Module):
    def __init__(self, config, rank):
        super().__init__()
        d, wide = config["dModel"], config["dFF"]
        self.gated = config["activation"] == "swiglu"
        if self.gated:
            self.gate_proj = Linear(d, wide, rank)
        self.up_proj = Linear(d, wide, rank)
        self.down_proj = Linear(wide, d, rank)

    def forward(self, x):
        if self.gated:
            return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return self.down_proj(F.relu(self.up_proj(x)))


class Layer(nn.Module):
    def __init__(self, config, rank):
        super().__init__()
        d, epsilon = config["dModel"], config["normEpsilon"]
        self.input_layernorm = nn.RMSNorm(d, epsilon)
        self.self_attn = Attention(config, rank)
        self.post_attention_layernorm = nn.RMSNorm(d, epsilon)
        self.mlp = FeedForward(config, rank)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Trunk(nn.Module):
    def __init__(self, config, rank):
        super().__init__()
        self.embed_tokens = nn.Embedding(config["vocabSize"], config["dModel"])
        self.layers = nn.ModuleList(Layer(config, rank) for _ in range(config["layers"]))
        self.norm = nn.RMSNorm(config["dModel"], config["normEpsilon"])


class Decoder(nn.Module):
    """`lora_rank` freezes everything but the adapters."""

    def __init__(self, config, lora_rank=None):
        super().__init__()
        self.model = Trunk(config, lora_rank)
        self.lm_head = None if config["tiedEmbeddings"] else Linear(config["dModel"], config["vocabSize"])
        if lora_rank is not None:
            for name, parameter in self.named_parameters():
                parameter.requires_grad_("lora_" in name)
        half = config["dModel"] // config["heads"] // 2
        frequencies = config["ropeTheta"] ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.outer(torch.arange(config["context"], dtype=torch.float64), frequencies).repeat(1, 2)
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    def forward(self, ids, positions, targets):
        """ids: [batch, time]; positions: flat places that predict; targets: what they predict. → summed loss"""
        time = ids.shape[1]
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x, self.cos[:time], self.sin[:time])
        x = self.model.norm(x.flatten(0, 1)[positions])
        head = self.model.embed_tokens.weight if self.lm_head is None else self.lm_head.weight
        return F.cross_entropy(F.linear(x, head), targets, reduction="sum")

"""PyTorch's side of the training comparison: the same decoder, the same batch, driven over standard input.

    python bench/peers/train.py < requests      # one JSON document a line; one JSON answer a line

First request: {"config": DecoderConfig, "lora": null | {"rank", "alpha"}, "compile": false, "threads": 2,
"batch": {"rows", "time", "ids", "positions", "targets", "tokens"}}; answer: {"ready", "version"}.
Then {"steps": n}; answer: {"seconds", "cpu", "loss"} (processor
seconds; mean loss of the last step). The end of the input ends it.

Eager PyTorch as one writes it for speed: F.scaled_dot_product_attention, one product for q, k and v, fused AdamW, fused
RMSNorm (F.rms_norm), logits on the positions that predict a completion token only ("allLogits": true for all of them).
LoRA as PEFT computes it: base(x) + scale * B(A(x)), the base without gradients.
"""
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


class Linear(nn.Module):
    def __init__(self, inputs, outputs, lora):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-1, 1) * (3 / inputs) ** 0.5)
        self.scale = 0.0
        if lora:
            self.weight.requires_grad_(False)
            self.a = nn.Parameter(torch.empty(lora["rank"], inputs).uniform_(-1, 1) / inputs**0.5)
            self.b = nn.Parameter(torch.zeros(outputs, lora["rank"]))
            self.scale = lora["alpha"] / lora["rank"]

    def forward(self, x):
        y = F.linear(x, self.weight)
        return y + self.scale * F.linear(F.linear(x, self.a), self.b) if self.scale else y


class Norm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight, self.width, self.epsilon = nn.Parameter(torch.ones(width)), width, epsilon

    def forward(self, x):
        return F.rms_norm(x, (self.width,), self.weight, self.epsilon)


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


class Layer(nn.Module):
    def __init__(self, c, lora):
        super().__init__()
        self.heads, self.kv = c["heads"], c.get("kvHeads") or c["heads"]
        d, self.w = c["dModel"], c["dModel"] // c["heads"]
        self.norm1, self.norm2 = Norm(d, c["normEpsilon"]), Norm(d, c["normEpsilon"])
        # Without adapters one product; PEFT adapts q, k and v each by itself.
        if lora:
            self.q, self.k, self.v = (Linear(d, n * self.w, lora) for n in (self.heads, self.kv, self.kv))
        else:
            self.qkv = Linear(d, (self.heads + 2 * self.kv) * self.w, None)
        self.o, self.up, self.down = Linear(d, d, lora), Linear(d, c["dFF"], lora), Linear(c["dFF"], d, lora)
        self.gate = Linear(d, c["dFF"], lora) if c["activation"] == "swiglu" else None

    def forward(self, x, cos, sin):
        b, t, d = x.shape
        n = self.norm1(x)
        if hasattr(self, "qkv"):
            q, k, v = self.qkv(n).split([self.heads * self.w, self.kv * self.w, self.kv * self.w], -1)
        else:
            q, k, v = self.q(n), self.k(n), self.v(n)
        q, k, v = (y.view(b, t, -1, self.w).transpose(1, 2) for y in (q, k, v))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        grouped = self.kv != self.heads
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
        x = x + self.o(o.transpose(1, 2).reshape(b, t, d))
        n = self.norm2(x)
        h = F.relu(self.up(n)) if self.gate is None else F.silu(self.gate(n)) * self.up(n)
        return x + self.down(h)


class Decoder(nn.Module):
    def __init__(self, c, lora, all_logits):
        super().__init__()
        self.c, self.all_logits = c, all_logits
        self.embed = nn.Embedding(c["vocabSize"], c["dModel"])
        nn.init.uniform_(self.embed.weight, -((3 / c["dModel"]) ** 0.5), (3 / c["dModel"]) ** 0.5)
        self.layers = nn.ModuleList(Layer(c, lora) for _ in range(c["layers"]))
        self.norm = Norm(c["dModel"], c["normEpsilon"])
        self.head = None if c["tiedEmbeddings"] else Linear(c["dModel"], c["vocabSize"], None)
        w = c["dModel"] // c["heads"]
        inverse = c["ropeTheta"] ** (-torch.arange(0, w, 2).float() / w)
        angles = torch.outer(torch.arange(c["context"]).float(), torch.cat((inverse, inverse)))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        if lora:
            for name, parameter in self.named_parameters():
                parameter.requires_grad_(name.endswith((".a", ".b")))

    def forward(self, ids, positions, targets):
        x = self.embed(ids)
        t = ids.shape[1]
        for layer in self.layers:
            x = layer(x, self.cos[:t], self.sin[:t])
        x = x.reshape(-1, x.shape[-1])
        if self.all_logits:
            labels = torch.full((x.shape[0],), -100).index_put((positions,), targets)
        else:
            x, labels = x[positions], targets
        weight = self.embed.weight if self.head is None else self.head.weight
        return F.cross_entropy(F.linear(self.norm(x), weight), labels)


def main():
    setup = json.loads(sys.stdin.readline())
    torch.set_num_threads(setup["threads"])
    torch.manual_seed(0)
    model = Decoder(setup["config"], setup["lora"], setup.get("allLogits", False))
    batch = setup["batch"]
    ids = torch.tensor(batch["ids"]).view(batch["rows"], batch["time"])
    positions, targets = torch.tensor(batch["positions"]), torch.tensor(batch["targets"])
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-3, weight_decay=0.0, fused=True)
    run = torch.compile(model) if setup["compile"] else model

    def step():
        loss = run(ids, positions, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainable, 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    print(json.dumps({"ready": True, "version": torch.__version__, "weights": sum(p.numel() for p in trainable)}), flush=True)
    for line in sys.stdin:
        start, used = time.perf_counter(), time.process_time()
        for _ in range(json.loads(line)["steps"]):
            loss = step()
        print(json.dumps({"seconds": time.perf_counter() - start, "cpu": time.process_time() - used, "loss": loss.item()}), flush=True)


if __name__ == "__main__":
    main()

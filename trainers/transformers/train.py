"""Trains a causal language model for Startrail: plain PyTorch and transformers behind the contract of engine/command/contract.ts.

    python train.py describe
    python train.py train work/train.json
    torchrun --nproc-per-node 8 train.py train work/train.json     # data parallel; rank 0 speaks

The engine has decided which rows make up each step, their token ids and the rate of each step; here they are computed with.
The loss is the sum over completion tokens divided by the completion tokens of the whole optimizer batch, so 8 x 1 accumulated
is 1 x 8. Adam, clipping by global norm and LoRA are those of engine/tfjs. Snapshots in the resume folder appear whole or not
at all; a call that finds one goes on from it. Ends when standard input closes: its owner is gone.
"""

import json
import math
import os
import sys
import threading
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

RANK = int(os.environ.get("RANK", "0"))
WORLD = int(os.environ.get("WORLD_SIZE", "1"))
# Tokens of one forward pass; more rows than fit are accumulated. Does not change the loss, only the order of its sums.
MICRO_TOKENS = int(os.environ.get("TRAINER_MICRO_TOKENS", "8192"))


class Failed(Exception):
    """Ends the training with a code that the engine knows."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def say(event, **fields):
    if RANK == 0:
        print(json.dumps({"event": event, **fields}), flush=True)


def end_with_owner():
    # Not what lies in Python's buffer: the descriptor itself says when nobody holds its other end. torchrun gives the others none.
    if RANK == 0 and not sys.stdin.isatty():
        def watch():
            while os.read(0, 4096):
                pass
            os._exit(1)
        threading.Thread(target=watch, daemon=True).start()


def device():
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        return torch.device("cuda")
    return torch.device("cpu")


def describe():
    import transformers

    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu, {torch.get_num_threads()} threads"
    print(json.dumps({
        "fingerprint": f"transformers {transformers.__version__}, torch {torch.__version__}, {where}, trainer 1",
        # The same bytes on one machine; kernels of a GPU and sums over several processes promise less.
        "deterministic": not torch.cuda.is_available() and WORLD == 1,
    }))


class Lora(torch.nn.Module):
    """A frozen projection with a low-rank path beside it: W x + alpha/rank * B A x (arXiv:2106.09685)."""

    def __init__(self, projection, a, b, scale):
        super().__init__()
        self.projection, self.scale = projection, scale
        self.lora_A, self.lora_B = torch.nn.Parameter(a), torch.nn.Parameter(b)

    def forward(self, x):
        return self.projection(x) + F.linear(F.linear(x, self.lora_A), self.lora_B) * self.scale


PEFT = "base_model.model."


def attach(model, adapter, where):
    """Puts the adapter's factors beside their projections; everything else is frozen. Gives them by PEFT's names."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    start = load_file(adapter["start"])
    learned = {}
    for name in sorted(key for key in start if key.endswith(".lora_A.weight")):
        stem = name[: -len(".lora_A.weight")]
        parent, _, child = stem[len(PEFT):].rpartition(".")
        a, b = start[name].to(where), start[f"{stem}.lora_B.weight"].to(where)
        owner = model.get_submodule(parent)
        layer = Lora(getattr(owner, child), a, b, adapter["alpha"] / adapter["rank"])
        setattr(owner, child, layer)
        learned[name], learned[f"{stem}.lora_B.weight"] = layer.lora_A, layer.lora_B
    return learned


def load(spec, where):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(spec["base"], dtype=torch.float32, attn_implementation="eager").to(where)
    model.train()
    model.config.use_cache = False
    if spec.get("adapter"):
        return model, attach(model, spec["adapter"], where)
    # Tied weights are one parameter and stand under one name.
    return model, dict(model.named_parameters())


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def micro_batches(rows):
    """Rows of similar length together, at most MICRO_TOKENS padded tokens each (or one row)."""
    group, longest = [], 0
    for row in sorted(rows, key=lambda row: len(row["prompt"]) + len(row["completion"])):
        length = len(row["prompt"]) + len(row["completion"])
        if group and max(longest, length) * (len(group) + 1) > MICRO_TOKENS:
            yield group
            group, longest = [], 0
        group.append(row)
        longest = max(longest, length)
    if group:
        yield group


IGNORED = -100


def predicted(row):
    """Completion tokens that are predicted: the first token of a row without a prompt has nothing before it."""
    return len(row["completion"]) - (1 if not row["prompt"] else 0)


def summed_loss(model, rows, where):
    width = max(len(row["prompt"]) + len(row["completion"]) for row in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for at, row in enumerate(rows):
        whole = row["prompt"] + row["completion"]
        ids[at, : len(whole)] = torch.tensor(whole)
        mask[at, : len(whole)] = 1
        labels[at, len(row["prompt"]): len(whole)] = torch.tensor(row["completion"])
    logits = model(input_ids=ids.to(where), attention_mask=mask.to(where)).logits[:, :-1]
    targets = labels[:, 1:].to(where)
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]).float(), targets.reshape(-1), ignore_index=IGNORED, reduction="sum")


class Snapshots:
    """Snapshots of a training: whole or absent, the newest readable one is taken up."""

    def __init__(self, resume):
        self.resume = resume

    def newest(self):
        if self.resume:
            os.makedirs(self.resume["folder"], exist_ok=True)
            names = [name for name in os.listdir(self.resume["folder"]) if name.startswith("step-") and name.endswith(".pt")]
            for name in sorted(names, key=lambda name: int(name.split("-")[1]), reverse=True):
                try:
                    return torch.load(os.path.join(self.resume["folder"], name), map_location="cpu", weights_only=True)
                except Exception as error:  # torn by a power cut: an older one will do
                    print(f"snapshot {name} is left out: {error}", file=sys.stderr)
        return None

    def write(self, state):
        folder, attempt = self.resume["folder"], self.resume["attempt"]
        path = os.path.join(folder, f"step-{state['step']}-{attempt}.pt")
        with open(f"{path}.tmp", "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.tmp", path)
        mine = [name for name in os.listdir(folder) if name.endswith(f"-{attempt}.pt") and name.startswith("step-")]
        for name in sorted(mine, key=lambda name: int(name.split("-")[1]))[:-2]:
            os.remove(os.path.join(folder, name))


def train(file):
    with open(file, encoding="utf-8") as opened:
        spec = json.load(opened)
    torch.manual_seed(int(spec["seed"][:8], 16))
    torch.use_deterministic_algorithms(True, warn_only=True)
    where = device()
    if WORLD > 1:
        dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
    model, learned = load(spec, where)
    schedule, rates, rows, batches = spec["schedule"], spec["learningRates"], read_lines(spec["rows"]), read_lines(spec["batches"])
    steps = schedule["steps"]
    optimizer = torch.optim.Adam(
        learned.values(), lr=schedule["learningRate"], betas=(schedule["beta1"], schedule["beta2"]), eps=schedule["epsilon"]
    )
    snapshots = Snapshots(spec.get("resume"))
    step, window_loss, window_tokens = 0, 0.0, 0
    found = snapshots.newest()
    if found and found["step"] <= steps:
        step, window_loss, window_tokens = found["step"], found["windowLoss"], found["windowTokens"]
        with torch.no_grad():
            for name, parameter in learned.items():
                parameter.copy_(found["weights"][name])
        optimizer.load_state_dict(found["optimizer"])
    resumed_from, tokens = step, 0
    window_start = steps - max(1, steps // 10)
    told = saved = time.monotonic()
    told_tokens = 0
    say("progress", step=step, total=steps, tokensPerSecond=0)
    while step < steps:
        batch = [rows[row] for row in batches[step]]
        count = sum(predicted(row) for row in batch)
        optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=where)
        for group in micro_batches(batch[RANK::WORLD]):
            loss = summed_loss(model, group, where) / count
            loss.backward()
            total += loss.detach()
        parameters = list(learned.values())
        for parameter in parameters:
            if parameter.grad is None:  # a process without rows in this batch
                parameter.grad = torch.zeros_like(parameter)
        if WORLD > 1:
            for value in [total, *(parameter.grad for parameter in parameters)]:
                dist.all_reduce(value)
        norm = torch.sqrt(sum((parameter.grad.double() ** 2).sum() for parameter in parameters)).item()
        if not math.isfinite(total.item()) or not math.isfinite(norm):
            raise Failed("TrainingDiverged", f"loss {total.item()} and gradient norm {norm} at step {step} of {steps}; lower learningRate ({schedule['learningRate']}) or raise warmupSteps")
        clip = min(1.0, schedule["clipNorm"] / norm) if norm > 0 else 1.0
        for parameter in parameters:
            parameter.grad.mul_(clip)
        for group in optimizer.param_groups:
            group["lr"] = rates[step]
        optimizer.step()
        if step >= window_start:
            window_loss, window_tokens = window_loss + total.item() * count, window_tokens + count
        step += 1
        tokens += sum(len(row["prompt"]) + len(row["completion"]) - 1 for row in batch)
        now = time.monotonic()
        if RANK == 0 and snapshots.resume and now - saved >= snapshots.resume["everyMs"] / 1000 and step < steps:
            weights = {name: parameter.detach().cpu() for name, parameter in learned.items()}
            snapshots.write({"step": step, "weights": weights, "optimizer": optimizer.state_dict(), "windowLoss": window_loss, "windowTokens": window_tokens})
            saved = now
        if now - told >= 1 or step == steps:
            say("progress", step=step, total=steps, loss=total.item(), tokensPerSecond=(tokens - told_tokens) / max(now - told, 1e-9))
            told, told_tokens = now, tokens
    if RANK == 0:
        os.makedirs(spec["output"], exist_ok=True)
        name = "adapter_model.safetensors" if spec.get("adapter") else "model.safetensors"
        save_file({key: value.detach().cpu().contiguous() for key, value in learned.items()}, os.path.join(spec["output"], name))
    final = window_loss / window_tokens if window_tokens else None
    say("done", steps=steps, resumedFrom=resumed_from, finalLoss=final, tokens=tokens)
    if WORLD > 1:
        dist.destroy_process_group()


def main():
    if sys.argv[1:] == ["describe"]:
        return describe()
    if len(sys.argv) != 3 or sys.argv[1] != "train":
        sys.exit("usage: train.py describe | train.py train <train.json>")
    end_with_owner()
    try:
        train(sys.argv[2])
    except Failed as failed:
        say("failed", code=failed.code, message=str(failed))


if __name__ == "__main__":
    main()

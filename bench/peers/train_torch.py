"""PyTorch's side of training; `compiled` as a second argument puts the model through torch.compile.

    python bench/peers/train_torch.py order.json eager

The optimizer is the fastest of PyTorch's Adams on this model, found by trying each.
"""

import sys
import time
import warnings

import torch
from safetensors.torch import load_file

from decoder import Decoder
from slices import order, serve


def prepare():
    work = order()
    torch.set_num_threads(work["threads"])
    torch.manual_seed(0)
    model = Decoder(work["config"], work["loraRank"])
    missing, unexpected = model.load_state_dict(load_file(work["weights"]), strict=False)
    assert not unexpected and all("lora_" in name for name in missing), (missing, unexpected)
    compiled = sys.argv[2] == "compiled"
    forward = torch.compile(model) if compiled else model
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    batches = [
        (
            torch.tensor(batch["ids"]).view(batch["batch"], batch["time"]),
            torch.tensor(batch["positions"]),
            torch.tensor(batch["targets"]),
            batch["tokens"],
        )
        for batch in work["batches"]
    ]

    def adam(**how):
        return torch.optim.Adam(
            trained, lr=work["learningRate"], betas=(work["beta1"], work["beta2"]), eps=work["epsilon"], **how
        )

    def step(optimizer, batch):
        ids, positions, targets, _ = batch
        optimizer.zero_grad(set_to_none=True)
        loss = forward(ids, positions, targets) / targets.numel()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, work["clipNorm"])
        optimizer.step()
        return loss.item()

    optimizers = {
        "fused Adam": adam(fused=True),
        "foreach Adam": adam(foreach=True),
        "plain Adam": adam(foreach=False, fused=False),
    }
    first_loss = step(optimizers["fused Adam"], batches[0])
    times = {}
    for name, optimizer in optimizers.items():
        step(optimizer, batches[1])
        best = []
        for batch in batches[2:5]:
            began = time.perf_counter()
            step(optimizer, batch)
            best.append(time.perf_counter() - began)
        times[name] = min(best)
    chosen = min(times, key=times.get)
    optimizer = optimizers[chosen]

    def work_slice(_):
        tokens = 0
        for i in range(work["stepsPerSlice"]):
            batch = batches[i % len(batches)]
            step(optimizer, batch)
            tokens += batch[3]
        return tokens

    name = f"PyTorch {torch.__version__.split('+')[0]} {'torch.compile' if compiled else 'eager'}"
    return {
        "name": name,
        "optimizer": chosen,
        "threads": torch.get_num_threads(),
        "weights": sum(parameter.numel() for parameter in trained),
        "firstLoss": first_loss,
    }, work_slice


warnings.filterwarnings("ignore")
serve(prepare)

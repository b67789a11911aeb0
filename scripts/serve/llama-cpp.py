"""Serves one GGUF file with llama-cpp-python on the loopback address: a `command` that deploys (docs/howto/engines.md).

    python scripts/serve/llama-cpp.py --port 8000 --n_ctx 2048 model.gguf startrail-3f2a91c04b7e

Further options are those of `python -m llama_cpp.server`. Prints {"event":"served"} once /v1/models names the model, ends on
SIGTERM and when its standard input closes: its owner is gone. Limits: one model, one request at a time.
"""

import json
import os
import runpy
import sys
import threading
import time
import urllib.request


def end_with_owner() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def tell_when_served(port: str, name: str) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5) as answer:
                models = [model["id"] for model in json.load(answer)["data"]]
        except OSError:
            models = []
        if name in models:
            print(json.dumps({"event": "served", "model": name}), flush=True)
            return
        time.sleep(0.1)


def main() -> None:
    *options, model, name = sys.argv[1:]
    port = options[options.index("--port") + 1]
    threading.Thread(target=end_with_owner, daemon=True).start()
    threading.Thread(target=tell_when_served, args=(port, name), daemon=True).start()
    sys.argv = ["llama_cpp.server", "--host", "127.0.0.1", *options, "--model", model, "--model_alias", name]
    runpy.run_module("llama_cpp.server", run_name="__main__")


if __name__ == "__main__":
    main()

"""The Python half of the protocol in bench/contestant.ts: one line of JSON per slice of work.

    serve(lambda: ({"name": "PyTorch 2.15 eager"}, slice_function))

Whatever libraries print goes to standard error; standard output carries the protocol alone.
"""

import json
import os
import sys
import time
import traceback


def serve(prepare):
    """`prepare` loads and warms up, and returns (facts, slice); `slice(n)` returns the number of tokens it worked on."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(message):
        out.write(json.dumps(message) + "\n")
        out.flush()

    try:
        facts, work = prepare()
        say({"ready": facts})
        for line in sys.stdin:
            n = json.loads(line)["slice"]
            began = time.perf_counter()
            tokens = work(n)
            say({"tokens": tokens, "seconds": time.perf_counter() - began})
    except Exception as error:
        traceback.print_exc()
        say({"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


def order():
    """What the bench wants done: the file named on the command line."""
    with open(sys.argv[1], encoding="utf8") as file:
        return json.load(file)

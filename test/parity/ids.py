"""Ids and texts of Python's `tokenizers` for lines of JSON on standard input: {"text": …} or {"ids": […]}."""
import json
import sys

from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
for line in sys.stdin:
    row = json.loads(line)
    ids = tokenizer.encode(row["text"], add_special_tokens=False).ids if "text" in row else row["ids"]
    print(json.dumps({"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True)}))

"""What transformers' apply_chat_template makes of conversations, for lines of JSON on standard input.

{"template", "tokens", "messages", "asks"} gives {"text"} or {"refused"}; {"folder", "messages", "asks"} gives {"text", "ids"}.
The clock stands at 26 July 2024, 00:00.
"""
import datetime
import json
import sys

from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import chat_template_utils


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


chat_template_utils.datetime = Clock
loaded = {}
for line in sys.stdin:
    row = json.loads(line)
    options = dict(add_generation_prompt=row['asks'])
    if 'folder' in row:
        if row['folder'] not in loaded:
            loaded[row['folder']] = AutoTokenizer.from_pretrained(row['folder'])
        tokenizer = loaded[row['folder']]
        ids = tokenizer.apply_chat_template(row['messages'], tokenize=True, return_dict=False, **options)
        answer = dict(text=tokenizer.apply_chat_template(row['messages'], tokenize=False, **options), ids=ids)
    else:
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), **row['tokens'])
        try:
            answer = dict(text=tokenizer.apply_chat_template(
                row['messages'], chat_template=row['template'], tokenize=False, **options))
        except Exception as error:
            answer = dict(refused=str(error))
    print(json.dumps(answer))

"""llama.cpp on the weights and prompts of the order: float32, greedy, all rows of a slice as sequences of one context.

    python bench/peers/generate_llama_cpp.py order.json

The shared prefix is decoded once and its cache shared by all sequences, as llama.cpp's own `batched` example does. Rows that
have ended leave the batch.
"""

import os
import tempfile

import gguf
import llama_cpp as ll
import numpy as np
from safetensors.numpy import load_file

from slices import order, serve

NAMES = {
    "input_layernorm.weight": "attn_norm",
    "self_attn.q_proj.weight": "attn_q",
    "self_attn.k_proj.weight": "attn_k",
    "self_attn.v_proj.weight": "attn_v",
    "self_attn.o_proj.weight": "attn_output",
    "post_attention_layernorm.weight": "ffn_norm",
    "mlp.gate_proj.weight": "ffn_gate",
    "mlp.up_proj.weight": "ffn_up",
    "mlp.down_proj.weight": "ffn_down",
    "model.embed_tokens.weight": "token_embd",
    "model.norm.weight": "output_norm",
    "lm_head.weight": "output",
}


def interleaved(weight, heads):
    """llama.cpp rotates neighbouring rows where Llama rotates halves."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_gguf(work, file):
    config = work["config"]
    kv_heads = config.get("kvHeads") or config["heads"]
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_vocab_size(config["vocabSize"])
    writer.add_context_length(config["context"])
    writer.add_embedding_length(config["dModel"])
    writer.add_block_count(config["layers"])
    writer.add_feed_forward_length(config["dFF"])
    writer.add_head_count(config["heads"])
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(config["normEpsilon"])
    writer.add_rope_freq_base(config["ropeTheta"])
    writer.add_rope_dimension_count(config["dModel"] // config["heads"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("none")
    for name, weight in load_file(work["model"]["path"]).items():
        if name.startswith("model.layers."):
            layer, rest = name.removeprefix("model.layers.").split(".", 1)
            target = f"blk.{layer}.{NAMES[rest]}.weight"
            if rest.startswith(("self_attn.q", "self_attn.k")):
                weight = interleaved(weight, config["heads"] if ".q_" in rest else kv_heads)
        else:
            target = f"{NAMES[name]}.weight"
        writer.add_tensor(target, np.ascontiguousarray(weight, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Context:
    def __init__(self, work, file):
        self.work = work
        ll.llama_backend_init()
        self.silence = ll.llama_log_callback(lambda *_: None)
        ll.llama_log_set(self.silence, None)
        self.model = ll.llama_model_load_from_file(file.encode(), ll.llama_model_default_params())
        assert self.model, "llama.cpp does not load the model"
        tail = max(len(row["ids"]) for row in work["rows"]) - work["prefixTokens"] + work["maxNewTokens"]
        parameters = ll.llama_context_default_params()
        parameters.n_ctx = work["prefixTokens"] + work["rowsPerSlice"] * tail
        parameters.n_batch = 2048
        parameters.n_ubatch = 512
        parameters.n_seq_max = work["rowsPerSlice"]
        parameters.n_threads = parameters.n_threads_batch = work["threads"]
        parameters.kv_unified = True
        self.context = ll.llama_init_from_model(self.model, parameters)
        assert self.context, "llama.cpp makes no context"
        self.memory = ll.llama_get_memory(self.context)
        self.batch = ll.llama_batch_init(parameters.n_batch, 0, 1)
        self.room = parameters.n_batch

    def decode(self, entries):
        """entries: (token, position, sequence, wants logits) → next token of those that want one, in order"""
        found = []
        for at in range(0, len(entries), self.room):
            part = entries[at : at + self.room]
            batch = self.batch
            batch.n_tokens = len(part)
            for i, (token, position, sequence, wanted) in enumerate(part):
                batch.token[i], batch.pos[i], batch.logits[i] = token, position, wanted
                batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
            assert ll.llama_decode(self.context, batch) == 0, "llama_decode failed"
            vocabulary = self.work["config"]["vocabSize"]
            for i, (_, _, _, wanted) in enumerate(part):
                if wanted:
                    logits = ll.llama_get_logits_ith(self.context, i)
                    found.append(int(np.ctypeslib.as_array(logits, (vocabulary,)).argmax()))
        return found

    def generate(self, prompts):
        prefix, end, limit = self.work["prefixTokens"], self.work["end"], self.work["maxNewTokens"]
        ll.llama_memory_clear(self.memory, False)
        if prefix > 0:
            self.decode([(token, at, 0, False) for at, token in enumerate(prompts[0][:prefix])])
            for sequence in range(1, len(prompts)):
                ll.llama_memory_seq_cp(self.memory, 0, sequence, -1, -1)
        entries = [
            (token, at, sequence, at == len(prompt) - 1)
            for sequence, prompt in enumerate(prompts)
            for at, token in enumerate(prompt)
            if at >= prefix
        ]
        running = list(range(len(prompts)))
        tokens = 0
        for step in range(limit):
            picked = self.decode(entries)
            tokens += len(picked)
            going = [(s, token) for s, token in zip(running, picked) if token != end]
            running = [s for s, _ in going]
            if not running:
                break
            entries = [(token, len(prompts[s]) + step, s, True) for s, token in going]
        return tokens


def prepare():
    work = order()
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.gguf")
        write_gguf(work, file)
        context = Context(work, file)

    rows, per_slice = work["rows"], work["rowsPerSlice"]

    def slice_of(n):
        slices = max(1, len(rows) // per_slice)
        return [row["ids"] for row in rows[(n % slices) * per_slice :][:per_slice]]

    tokens = context.generate(slice_of(0))
    return {
        "name": f"llama.cpp (llama-cpp-python {ll.__version__})",
        "threads": work["threads"],
        "meanNewTokens": round(tokens / len(slice_of(0)), 1),
    }, lambda n: context.generate(slice_of(n))


serve(prepare)

/** The decoder in plain tfjs operations, one sequence at a time, no cache, no folding: what the fast one must agree with. */
import { tf } from '../../engine/tfjs/native.ts';
import { kvHeadsOf } from '../../engine/tfjs/parameters.ts';
import type { Checkpoint } from '../../engine/tfjs/safetensors.ts';

/** Logits [time, vocab] of one sequence of ids. */
export function plainLogits({ config, tensors }: Checkpoint, ids: readonly number[]): number[][] {
  const { dModel: d, heads, layers, ropeTheta, normEpsilon, vocabSize } = config;
  const groups = kvHeadsOf(config);
  const size = d / heads;
  const time = ids.length;
  return tf.tidy(() => {
    const weight = (name: string) => tf.tensor(tensors.get(name)!.data, tensors.get(name)!.shape);
    const linear = (x: ReturnType<typeof weight>, name: string) => tf.matMul(x, weight(name), false, true);
    const norm = (x: ReturnType<typeof weight>, name: string) =>
      x.mul(tf.rsqrt(x.square().mean(-1, true).add(normEpsilon))).mul(weight(name));
    const angle = (t: number, i: number) => t * ropeTheta ** (-(i % (size / 2)) / (size / 2));
    const table = (f: (x: number) => number) =>
      tf.tensor(Array.from({ length: time }, (_, t) => Array.from({ length: size }, (_, i) => f(angle(t, i)))));
    const [cos, sin] = [table(Math.cos), table(Math.sin)];
    const split = (x: ReturnType<typeof weight>, count: number) => x.reshape([time, count, size]).transpose([1, 0, 2]);
    // Key head n serves the query heads n·heads/groups and following.
    const spread = (x: ReturnType<typeof weight>) =>
      tf.gather(
        x,
        Array.from({ length: heads }, (_, head) => Math.floor((head * groups) / heads)),
      );
    const rope = (x: ReturnType<typeof weight>) => {
      const [a, b] = tf.split(x, 2, -1) as [typeof x, typeof x];
      return x.mul(cos).add(tf.concat([b.neg(), a], -1).mul(sin));
    };
    const causal = tf.tensor(
      Array.from({ length: time }, (_, q) => Array.from({ length: time }, (_, k) => (k > q ? -1e9 : 0))),
    );
    let x: ReturnType<typeof weight> = tf.gather(weight('model.embed_tokens.weight'), ids);
    for (let layer = 0; layer < layers; layer++) {
      const at = `model.layers.${layer}.`;
      const n = norm(x, `${at}input_layernorm.weight`);
      const [q, k] = [
        rope(split(linear(n, `${at}self_attn.q_proj.weight`), heads)),
        spread(rope(split(linear(n, `${at}self_attn.k_proj.weight`), groups))),
      ];
      const v = spread(split(linear(n, `${at}self_attn.v_proj.weight`), groups));
      const scores = tf.matMul(q, k, false, true).div(Math.sqrt(size)).add(causal);
      const mixed = tf.matMul(tf.softmax(scores, -1), v).transpose([1, 0, 2]).reshape([time, d]);
      x = x.add(linear(mixed, `${at}self_attn.o_proj.weight`));
      const m = norm(x, `${at}post_attention_layernorm.weight`);
      const up = linear(m, `${at}mlp.up_proj.weight`);
      let hidden: typeof up;
      if (config.activation === 'relu') hidden = tf.relu(up);
      else {
        const gate = linear(m, `${at}mlp.gate_proj.weight`);
        hidden = gate.mul(tf.sigmoid(gate)).mul(up);
      }
      x = x.add(linear(hidden, `${at}mlp.down_proj.weight`));
    }
    const last = config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
    const logits = linear(norm(x, 'model.norm.weight'), last);
    const flat = logits.dataSync();
    return Array.from({ length: time }, (_, t) => Array.from(flat.slice(t * vocabSize, (t + 1) * vocabSize)));
  });
}

/** The decoder in plain tfjs operations, one sequence, no cache, no folding, the file's own order: what ours must agree with. */
import { tf } from '../../engine/tfjs/native.ts';
import type { Tensor } from '../../engine/tfjs/native.ts';
import { headWidthOf, kvHeadsOf } from '../../engine/tfjs/parameters.ts';
import type { DecoderConfig } from '../../schemas/checkpoint.ts';

const ACTIVATIONS = {
  relu: (x: any) => tf.relu(x),
  swiglu: (x: any) => x.mul(tf.sigmoid(x)),
  gelu: (x: any) => x.mul(tf.erf(x.div(Math.SQRT2)).add(1)).div(2),
  'gelu-tanh': (x: any) =>
    x.mul(tf.tanh(x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI))).add(1)).div(2),
} as const;

/**
 * Logits [time, vocab], or rewards [time, 1]; the tape can differentiate them. `get` gives a tensor of the file, undefined where
 * there is none.
 */
export function plainDecoder(
  config: DecoderConfig,
  get: (name: string) => Tensor | undefined,
  ids: Int32Array,
  output: 'logits' | 'rewards' = 'logits',
): Tensor {
  const { heads, layers, ropeTheta, normEpsilon } = config;
  const groups = kvHeadsOf(config);
  const width = headWidthOf(config);
  const time = ids.length;
  const weight = (name: string) => get(name) as any;
  const linear = (x: any, name: string) => {
    const product = tf.matMul(x, weight(`${name}.weight`), false, true);
    const bias = weight(`${name}.bias`);
    return bias === undefined ? product : product.add(bias);
  };
  const rms = (x: any, name: string) =>
    x.div(x.square().mean(-1, true).add(normEpsilon).sqrt()).mul(weight(`${name}.weight`));
  const norm = (x: any, name: string) =>
    config.norm === 'layer' ? rms(x.sub(x.mean(-1, true)), name).add(weight(`${name}.bias`)) : rms(x, name);

  // [time, turning]: each dimension's angle and its partner.
  const turning = config.positions === 'learned' ? 0 : (config.rotaryWidth ?? width);
  const neighbours = config.rotaryPairs === 'neighbours';
  const pairOf = (j: number) => (neighbours ? Math.floor(j / 2) : j % (turning / 2));
  const first = (j: number) => (neighbours ? j % 2 === 0 : j < turning / 2);
  const dimensions = Array.from({ length: turning }, (_, j) => j);
  const angles = tf.tensor(
    Array.from({ length: time }, (_, t) => dimensions.map((j) => t * ropeTheta ** ((-2 * pairOf(j)) / turning))),
    [time, turning],
  );
  const partners = dimensions.map((j) => (neighbours ? j ^ 1 : (j + turning / 2) % turning));
  const signs = tf.tensor(dimensions.map((j) => (first(j) ? -1 : 1)));
  const turn = (x: any) => {
    if (turning === 0) return x;
    const head = x.slice([0, 0], [time, turning]);
    const rest = x.slice([0, turning], [time, width - turning]);
    const partner = tf.gather(head, tf.tensor1d(partners, 'int32'), 1);
    const turned = head.mul(tf.cos(angles)).add(partner.mul(signs).mul(tf.sin(angles)));
    return width === turning ? turned : tf.concat([turned, rest], 1);
  };
  const causal = tf.tensor(
    Array.from({ length: time }, (_, q) =>
      Array.from({ length: time }, (_, k) => (k > q || q - k >= (config.window ?? time) ? -1e9 : 0)),
    ),
  );

  const attention = (n: any, at: (name: string) => string) => {
    const [q, k, v] = ['q', 'k', 'v'].map((name) => linear(n, at(`self_attn.${name}_proj`)));
    const outputs = Array.from({ length: heads }, (_, head) => {
      // Key head n serves the query heads n·heads/groups and following.
      const own = Math.floor((head * groups) / heads);
      const part = (x: any, head: number) => x.slice([0, head * width], [time, width]);
      const compared = (x: any, name: string) => turn(config.qkNorm ? rms(x, at(`self_attn.${name}_norm`)) : x);
      const [queries, keys] = [compared(part(q, head), 'q'), compared(part(k, own), 'k')];
      const scores = tf.matMul(queries, keys, false, true).div(Math.sqrt(width));
      return tf.matMul(tf.softmax(scores.add(causal)), part(v, own));
    });
    return linear(tf.concat(outputs as any[], 1), at('self_attn.o_proj'));
  };
  const feedForward = (n: any, at: (name: string) => string) => {
    const up = linear(n, at('mlp.up_proj'));
    const curve = ACTIVATIONS[config.activation];
    const hidden = config.activation === 'swiglu' ? curve(linear(n, at('mlp.gate_proj'))).mul(up) : curve(up);
    return linear(hidden, at('mlp.down_proj'));
  };

  let x: any = tf.gather(weight('model.embed_tokens.weight'), tf.tensor1d(ids, 'int32'));
  if (config.positions === 'learned')
    x = x.add(tf.gather(weight('model.embed_positions.weight'), tf.range(0, time, 1, 'int32')));
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string) => `model.layers.${layer}.${name}`;
    const n = norm(x, at('input_layernorm'));
    const attended = x.add(attention(n, at));
    x = attended.add(feedForward(config.parallel ? n : norm(attended, at('post_attention_layernorm')), at));
  }
  if (output === 'rewards') return tf.matMul(norm(x, 'model.norm'), weight('score.weight'), false, true);
  const last = config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
  const logits = tf.matMul(norm(x, 'model.norm'), weight(last), false, true);
  const bias = weight('lm_head.bias');
  return bias === undefined ? logits : logits.add(bias);
}

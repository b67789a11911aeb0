/** The loss in plain tfjs operations that its tape can differentiate: what the pass by hand must agree with. */
import type { TokenRow } from '../../engine/tfjs/batches.ts';
import { tf } from '../../engine/tfjs/native.ts';
import type { Tensor } from '../../engine/tfjs/native.ts';
import { kvHeadsOf } from '../../engine/tfjs/parameters.ts';
import type { DecoderConfig } from '../../schemas/checkpoint.ts';

/** The definition, in plain tfjs and Llama's own conventions; differentiated by the tape. */
export function plainLoss(config: DecoderConfig, rows: TokenRow[], tensors: Map<string, Tensor>): Tensor {
  const { dModel, heads, layers, ropeTheta, normEpsilon } = config;
  const width = dModel / heads;
  const get = (name: string) => tensors.get(name) as any;
  const norm = (x: any, gain: any) => x.div(x.square().mean(-1, true).add(normEpsilon).sqrt()).mul(gain);
  const linear = (x: any, weight: any) => tf.matMul(x, weight, false, true);
  let total: any = tf.scalar(0);
  for (const { tokens, promptLength } of rows) {
    const time = tokens.length - 1;
    const angles = tf.tensor2d(
      Array.from({ length: time }, (_, t) =>
        Array.from({ length: width }, (_, j) => t * ropeTheta ** ((-2 * (j % (width / 2))) / width)),
      ),
    );
    const rotate = (x: any) =>
      x
        .mul(angles.cos())
        .add(tf.concat([x.slice([0, width / 2]).neg(), x.slice([0, 0], [time, width / 2])], 1).mul(angles.sin()));
    let x: any = tf.gather(get('model.embed_tokens.weight'), tf.tensor1d(tokens.subarray(0, -1), 'int32'));
    for (let layer = 0; layer < layers; layer++) {
      const at = (name: string) => get(`model.layers.${layer}.${name}.weight`);
      const n = norm(x, at('input_layernorm'));
      const outputs = [];
      for (let head = 0; head < heads; head++) {
        const part = (name: string) => {
          const own = name === 'q' ? head : Math.floor(head / (heads / kvHeadsOf(config)));
          return linear(n, at(`self_attn.${name}_proj`)).slice([0, own * width], [time, width]);
        };
        const scores = tf.matMul(rotate(part('q')), rotate(part('k')), false, true).div(Math.sqrt(width));
        const causal = tf.linalg
          .bandPart(tf.ones([time, time]), -1, 0)
          .sub(1)
          .mul(1e9);
        outputs.push(tf.matMul(tf.softmax(scores.add(causal)), part('v')));
      }
      x = x.add(linear(tf.concat(outputs, 1), at('self_attn.o_proj')));
      const m = norm(x, at('post_attention_layernorm'));
      const up = linear(m, at('mlp.up_proj'));
      const gate = config.activation === 'swiglu' ? linear(m, at('mlp.gate_proj')) : null;
      const hidden = gate === null ? tf.relu(up) : gate.mul(tf.sigmoid(gate)).mul(up);
      x = x.add(linear(hidden, at('mlp.down_proj')));
    }
    const head = get(config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight');
    const logSoftmax = tf.logSoftmax(linear(norm(x, get('model.norm.weight')), head) as any);
    for (let at = promptLength; at < tokens.length; at++) {
      total = total.sub(logSoftmax.slice([at - 1, tokens[at]!], [1, 1]).sum());
    }
  }
  return total;
}

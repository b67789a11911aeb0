/** Quiet-STaR in plain tfjs operations, one thought at a time as a sequence of its own: what the pass by hand must agree with. */
import type { TokenRow } from '../../engine/tfjs/batches.ts';
import { tf } from '../../engine/tfjs/native.ts';
import type { Tensor } from '../../engine/tfjs/native.ts';
import type { QuietAim, ThinkingBatch } from '../../engine/tfjs/quiet.ts';
import { indexOf, thoughtsOf } from '../../engine/tfjs/quiet-streams.ts';
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { plainDecoder } from './plain-decoder.ts';

/** The model whose vocabulary is longer by the start and end of thoughts; with `hidden` rows of the last norm in the place of logits. */
export function plainQuiet(
  config: DecoderConfig,
  tensors: ReadonlyMap<string, Tensor>,
  ids: Int32Array,
  hidden = false,
): Tensor {
  const wide = tf.concat(
    ['model.embed_tokens', 'quiet.start', 'quiet.end'].map((name) => tensors.get(`${name}.weight`)! as any),
  );
  const output = tensors.get(config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight');
  const [identity, none] = [tf.eye(config.dModel), tf.zeros([config.dModel])];
  const get = (name: string): Tensor | undefined => {
    if (name === 'model.embed_tokens.weight') return wide;
    if (hidden && name === 'model.norm.weight' && config.norm !== 'layer') return tf.onesLike(none);
    if (name === 'lm_head.weight') return hidden ? identity : output;
    if (hidden && name === 'lm_head.bias') return none;
    return tensors.get(name);
  };
  return plainDecoder({ ...config, tiedEmbeddings: false }, get, ids);
}

/** log p [rows, V] of mixed rows. */
function say(config: DecoderConfig, tensors: ReadonlyMap<string, Tensor>, rows: any): any {
  const output = tensors.get(config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight') as any;
  const gained = config.norm === 'layer' ? rows : rows.mul(tensors.get('model.norm.weight'));
  const logits: any = tf.matMul(gained, output, false, true);
  const bias = tensors.get('lm_head.bias') as any;
  return tf.logSoftmax(bias === undefined ? logits : logits.add(bias));
}

function mixed(tensors: ReadonlyMap<string, Tensor>, text: any, thought: any): any {
  const linear = (x: any, layer: number): any =>
    tf
      .matMul(x, tensors.get(`quiet.mix.${layer}.weight`) as any, false, true)
      .add(tensors.get(`quiet.mix.${layer}.bias`) as any);
  const w = linear(tf.relu(linear(tf.relu(linear(tf.concat([text, thought], 1), 0)), 1)), 2);
  return text.mul(w.mul(-1).add(1)).add(thought.mul(w));
}

const learnt = ({ tokens, promptLength }: TokenRow, at: number) =>
  at >= Math.max(1, promptLength) && at < tokens.length;

/** The advantage of each thought of the batch, of the costs that a pass gave. */
export function advantagesOf(
  rows: readonly TokenRow[],
  batch: ThinkingBatch,
  costs: Float32Array,
  { ahead, passes }: QuietAim,
): number[] {
  const perRow = thoughtsOf(batch.thinking);
  const total = new Array<number>(rows.length * passes * perRow).fill(0);
  let at = costs.length - batch.aim!.inputs.partner!.values.length;
  for (const [index, row] of rows.entries())
    for (let pass = 0; pass < passes; pass++)
      for (let k = 0; k < perRow; k++)
        for (let n = 0; n < ahead; n++)
          if (learnt(row, batch.thinking.from + k + 1 + n))
            total[(index * passes + pass) * perRow + k]! += costs[at++]!;
  return total.map((cost, thought) => {
    const [row, k] = [Math.floor(thought / perRow / passes), thought % perRow];
    const all = Array.from({ length: passes }, (_, pass) => total[(row * passes + pass) * perRow + k]!);
    return Math.max(0, all.reduce((a, b) => a + b) / passes - cost);
  });
}

/** Summed over texts and passes, as quiet.ts says it. */
export function plainQuietLoss(
  config: DecoderConfig,
  rows: readonly TokenRow[],
  batch: ThinkingBatch,
  tensors: ReadonlyMap<string, Tensor>,
  { tokens: length, pause, ahead, passes, policy }: QuietAim,
  advantages: readonly number[],
): Tensor {
  const { thinking } = batch;
  const perRow = thoughtsOf(thinking);
  let total: any = tf.scalar(0);
  for (const [index, row] of rows.entries()) {
    const { tokens } = row;
    const text: any = plainQuiet(config, tensors, tokens.subarray(0, -1), true);
    const asItIs = say(config, tensors, text);
    for (let at = 1; at < tokens.length; at++)
      if (learnt(row, at))
        total = total.sub(
          asItIs
            .slice([at - 1, tokens[at]!], [1, 1])
            .sum()
            .mul(0.5 * passes),
        );
    for (let pass = 0; pass < passes; pass++) {
      const copy = index * passes + pass;
      for (let k = 0; k < perRow; k++) {
        const position = thinking.from + k;
        const targets = Array.from({ length: ahead }, (_, n) => position + 1 + n).filter((at) => learnt(row, at));
        if (targets.length === 0) continue;
        const stream = Array.from(
          { length: length + 2 },
          (_, s) => batch.ids[copy * batch.time + indexOf(thinking, k, s)]!,
        );
        const future = Array.from(tokens.subarray(position + 1, position + ahead));
        const ids = Int32Array.of(...tokens.subarray(0, position + 1), ...stream, ...future);
        const hidden: any = plainQuiet(config, tensors, ids, true);
        for (const at of targets) {
          const n = at - position - 1;
          const [one, other] = [
            text.slice([at - 1, 0], [1, -1]),
            hidden.slice([position + length + 2 + n, 0], [1, -1]),
          ];
          total = total.sub(
            say(config, tensors, mixed(tensors, one, other))
              .slice([0, tokens[at]!], [1, 1])
              .sum()
              .mul(0.5 / ahead),
          );
        }
        if (pause) continue;
        const within = say(config, tensors, hidden);
        const weight = (advantages[copy * perRow + k]! * policy) / length;
        for (let s = 0; s < length; s++)
          total = total.sub(
            within
              .slice([position + 1 + s, stream[s + 1]!], [1, 1])
              .sum()
              .mul(weight),
          );
      }
    }
  }
  return total;
}

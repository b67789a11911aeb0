/**
 * One training pass of the decoder: loss and gradient of every weight, the backward pass written by hand.
 *
 *   const { loss, gradient } = lossAndGradient(kernels, layout, weights, batch, tables);
 *
 * Why by hand: a tape keeps every intermediate alive and adds passes over memory; here each is freed when its last reader is
 * done. What is saved besides:
 * - gains of RMSNorm are multiplied into the matrix that follows (small) instead of into the tokens (large);
 * - the projections to q, k and v write [3·heads, tokens, width] directly, as attention reads it;
 * - the last feed-forward, the output layer and the loss run on the rows that predict a completion token only;
 * - Σ over a row of P∘dP equals Σ over the head of O∘dO (FlashAttention, Dao et al. 2022, §3.1): no pass over [T, T].
 *
 * N = batch · time tokens, M = predicted tokens, H heads of width w, d = H·w.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import type { Kernels } from './kernels.ts';
import type { Layout } from './layout.ts';

/** What one batch feeds in; all int32. Padding may hold any id: causality keeps it from every row that counts. */
export interface BatchInputs<V> {
  /** [N] token ids, row-major over [batch, time]. */
  ids: V;
  /** [M] flat positions (into N) whose next token is a completion token. */
  positions: V;
  /** [M] those next tokens. */
  targets: V;
}

/** Constants of one length of sequence. */
export interface Tables<V> {
  /** [1, T·w/2, 2]: cos and sin of each rotation, times 1/√w. */
  rotateQuery: V;
  /** [1, T·w/2, 2] */
  rotateKey: V;
  /** As the two above, turned the other way. */
  unrotateQuery: V;
  unrotateKey: V;
  /** [1, T, T]: 0 where a key may be read, else very negative. */
  mask: V;
}

/** Makes the tables for sequences of `time` tokens. */
export function makeTables<V>(k: Kernels<V>, config: DecoderConfig, time: number): Tables<V> {
  const half = config.dModel / config.heads / 2;
  const rotation = (direction: 1 | -1, scale: number) => {
    const values = new Float32Array(time * half * 2);
    for (let t = 0; t < time; t++) {
      for (let j = 0; j < half; j++) {
        const angle = t * config.ropeTheta ** (-j / half);
        values[(t * half + j) * 2] = Math.cos(angle) * scale;
        values[(t * half + j) * 2 + 1] = direction * Math.sin(angle) * scale;
      }
    }
    return k.floats(values, [1, time * half, 2]);
  };
  const mask = new Float32Array(time * time);
  for (let t = 0; t < time; t++) mask.fill(-1e9, t * time + t + 1, (t + 1) * time);
  const scale = 1 / Math.sqrt(2 * half);
  return {
    rotateQuery: rotation(1, scale),
    rotateKey: rotation(1, 1),
    unrotateQuery: rotation(-1, scale),
    unrotateKey: rotation(-1, 1),
    mask: k.floats(mask, [1, time, time]),
  };
}

interface Normed<V> {
  /** x divided by the root mean square of its row. */
  value: V;
  /** [rows, 1]: 1 / that root. */
  inverse: V;
}

/** Loss summed over the M predicted tokens [scalar] and the gradient of that sum [layout.size]. */
export function lossAndGradient<V>(
  k: Kernels<V>,
  layout: Layout,
  weights: V,
  size: { batch: number; time: number },
  { ids, positions, targets }: BatchInputs<V>,
  tables: Tables<V>,
): { loss: V; gradient: V } {
  const { dModel: d, heads: H, layers, normEpsilon, activation, tiedEmbeddings, vocabSize } = layout.config;
  const [B, T, w] = [size.batch, size.time, d / H];
  const N = B * T;

  const flat = k.splitVector(
    weights,
    layout.blocks.map(({ length }) => length),
  );
  const weight = new Map(layout.blocks.map(({ name, shape }, i) => [name, k.reshape(flat[i]!, shape)]));
  const grads = new Map<string, V>();
  const W = (name: string) => weight.get(name)!;
  const inverseWidth = k.scalar(1 / d);
  const negatedInverseWidth = k.scalar(-1 / d);
  const epsilon = k.scalar(normEpsilon);

  const normalize = (x: V): Normed<V> => {
    const norm = k.euclideanNorm(x, 1);
    const square = k.square(norm);
    const mean = k.mul(square, inverseWidth);
    const shifted = k.add(mean, epsilon);
    const inverse = k.rsqrt(shifted);
    const value = k.mul(x, inverse);
    k.free(norm, square, mean, shifted);
    return { value, inverse };
  };
  /** residual + gradient at x, given the gradient at value; frees everything but `inverse` of its arguments. */
  const normalizeBack = ({ value, inverse }: Normed<V>, gradient: V, residual: V | null): V => {
    const product = k.mul(gradient, value);
    const along = k.sum(product, 1, true);
    const scaled = k.mul(along, negatedInverseWidth);
    const factor = k.mul(scaled, inverse);
    const direct = k.mul(gradient, inverse);
    const removed = k.mul(value, factor);
    const result = residual === null ? k.add(direct, removed) : k.addN(residual, direct, removed);
    k.free(product, along, scaled, factor, direct, removed, gradient, value, inverse);
    if (residual !== null) k.free(residual);
    return result;
  };
  /** From the gradient at matrix·gain: those of the matrix and (added up) of the gain. */
  const unfoldGain = (matrix: string, gain: string, gradient: V, source = matrix) => {
    const byElement = k.mul(gradient, W(source));
    const gainGradient = k.sum(byElement, 0);
    const before = grads.get(gain);
    grads.set(gain, before === undefined ? gainGradient : k.add(before, gainGradient));
    grads.set(matrix, k.mul(gradient, W(gain)));
    k.free(byElement, gradient);
  };
  const rotate = (x: V, table: V): V => {
    const pairs = k.reshape(x, [H * B, (T * w) / 2, 2]);
    const rotated = k.complexMul(pairs, table);
    const result = k.reshape(rotated, [H * B, T, w]);
    k.free(pairs, rotated, x);
    return result;
  };

  // Forward.
  const saved: (() => void)[] = [];
  let x = k.gather(W('embed'), ids);
  let dx!: V;
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string) => `${layer}.${name}`;
    const last = layer === layers - 1;

    const norm1 = normalize(x);
    const qkvWeight = k.mul(W(at('qkv')), W(at('norm1')));
    const projected = k.batchMatmul(
      k.reshape(norm1.value, [1, N, d]),
      k.reshape(qkvWeight, [3 * H, w, d]),
      false,
      true,
    );
    const [qIn, kIn, vIn] = k.split(projected, 3) as [V, V, V];
    const [q, key, v] = [rotate(qIn, tables.rotateQuery), rotate(kIn, tables.rotateKey), k.reshape(vIn, [H * B, T, w])];
    const scores = k.batchMatmul(q, key, false, true);
    const masked = k.add(scores, tables.mask);
    const p = k.softmax(masked);
    const o = k.batchMatmul(p, v);
    const oHeads = k.reshape(o, [H, N, w]);
    const oSwapped = k.transpose(oHeads, [1, 0, 2]);
    const oRows = k.reshape(oSwapped, [N, d]);
    const attended = k.matmul(oRows, W(at('o')), false, true);
    const middle = k.add(x, attended);
    k.free(projected, vIn, scores, masked, oHeads, oSwapped, attended, x);

    // Only rows that predict something go on from here.
    const rows = last ? k.gather(middle, positions) : middle;
    if (last) k.free(middle);
    const norm2 = normalize(rows);
    const up = k.mul(W(at('up')), W(at('norm2')));
    const a = k.matmul(norm2.value, up, false, true);
    const swiglu = activation === 'swiglu';
    const gate = swiglu ? k.mul(W(at('gate')), W(at('norm2'))) : null;
    const g = gate === null ? null : k.matmul(norm2.value, gate, false, true);
    const sigmoid = g === null ? null : k.sigmoid(g);
    const silu = g === null ? null : k.mul(g, sigmoid!);
    const h = silu === null ? k.relu(a) : k.mul(silu, a);
    if (!swiglu) k.free(a);
    const written = k.matmul(h, W(at('down')), false, true);
    x = k.add(rows, written);
    k.free(rows, written);

    saved.push(() => {
      grads.set(at('down'), k.matmul(dx, h, true));
      const dh = k.matmul(dx, W(at('down')));
      let dn2: V;
      if (g === null) {
        const da = k.reluGrad(dh, h);
        const dUp = k.matmul(da, norm2.value, true);
        dn2 = k.matmul(da, up);
        unfoldGain(at('up'), at('norm2'), dUp);
        k.free(da);
      } else {
        const da = k.mul(dh, silu!);
        const dSilu = k.mul(dh, a);
        // silu′ = σ + silu·(1 − σ)
        const rest = k.sub(k.scalar(1), sigmoid!);
        const curved = k.mul(silu!, rest);
        const slope = k.add(sigmoid!, curved);
        const dg = k.mul(dSilu, slope);
        const dUp = k.matmul(da, norm2.value, true);
        const dGate = k.matmul(dg, norm2.value, true);
        const viaUp = k.matmul(da, up);
        const viaGate = k.matmul(dg, gate!);
        dn2 = k.add(viaUp, viaGate);
        unfoldGain(at('up'), at('norm2'), dUp);
        unfoldGain(at('gate'), at('norm2'), dGate);
        k.free(da, dSilu, rest, curved, slope, dg, viaUp, viaGate, a, g, sigmoid!, silu!, gate!);
      }
      k.free(dh, h, up);
      let dMiddle = normalizeBack(norm2, dn2, dx);
      if (last) {
        const compact = dMiddle;
        dMiddle = k.segmentSum(compact, positions, N);
        k.free(compact);
      }

      grads.set(at('o'), k.matmul(dMiddle, oRows, true));
      const oByHead = k.transpose(k.reshape(W(at('o')), [d, H, w]), [1, 0, 2]);
      const dO = k.reshape(k.batchMatmul(k.reshape(dMiddle, [1, N, d]), oByHead), [H * B, T, w]);
      const overlap = k.mul(dO, o);
      const along = k.sum(overlap, 2, true);
      const dP = k.batchMatmul(dO, v, false, true);
      const centred = k.sub(dP, along);
      const dS = k.mul(p, centred);
      const dV = k.batchMatmul(p, dO, true);
      k.free(overlap, along, dP, centred, p, dO, v, o, oRows, oByHead);
      const dQ = rotate(k.batchMatmul(dS, key), tables.unrotateQuery);
      const dK = rotate(k.batchMatmul(dS, q, true), tables.unrotateKey);
      k.free(dS, q, key);
      const joined = k.reshape(k.concat(dQ, dK, dV), [3 * H, N, w]);
      const dQkv = k.reshape(k.transpose(joined, [1, 0, 2]), [N, 3 * d]);
      k.free(dQ, dK, dV, joined);
      const dQkvWeight = k.matmul(dQkv, norm1.value, true);
      const dn1 = k.matmul(dQkv, qkvWeight);
      unfoldGain(at('qkv'), at('norm1'), dQkvWeight);
      k.free(dQkv, qkvWeight);
      dx = normalizeBack(norm1, dn1, dMiddle);
    });
  }

  const head = tiedEmbeddings ? 'embed' : 'head';
  const final = normalize(x);
  const output = k.mul(W(head), W('norm'));
  const logits = k.matmul(final.value, output, false, true);
  const [losses, dLogits] = k.crossEntropy(logits, targets);
  const loss = k.sum(losses, 0);
  k.free(x, logits, losses);

  // Backward.
  const dOutput = k.matmul(dLogits, final.value, true);
  unfoldGain(head, 'norm', dOutput);
  const dFinal = k.matmul(dLogits, output);
  k.free(dLogits, output);
  dx = normalizeBack(final, dFinal, null);
  for (const back of saved.reverse()) back();
  const dEmbed = k.segmentSum(dx, ids, vocabSize);
  const viaHead = grads.get('embed');
  grads.set('embed', viaHead === undefined ? dEmbed : k.add(dEmbed, viaHead));
  k.free(dx);

  const gradient = k.concat(...layout.blocks.map(({ name, length }) => k.reshape(grads.get(name)!, [length])));
  return { loss, gradient };
}

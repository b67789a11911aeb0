/**
 * What a training pass reads besides the weights: the batch, its sizes, and tables that follow from the config.
 *
 *   const shapes = passShapes(config, batch);                 // values of a PassInputs
 *   const { rotations, mask } = makeTables(config, length);
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import type { Batch } from './batches.ts';
import { headWidthOf } from './parameters.ts';
import { placesOf } from './quiet-streams.ts';
import { headTurns } from './rotary.ts';

/** Most logits of one piece: 128 MiB, and as much again for their gradients. */
const LOGITS = 1 << 25;

/**
 * What a pass reads besides the weights. Padding may hold any id: causality keeps it from every row that counts. Sizes are
 * given as values, so that one recorded graph serves every batch.
 */
export interface PassInputs<V> {
  /** [N] int32 token ids, row-major over [batch, time]. */
  ids: V;
  /** [N] int32: where each token stands in its row. */
  places: V;
  /** [M] int32: flat positions (into N) whose next token is a completion token. */
  positions: V;
  /** [M] int32: those next tokens. */
  targets: V;
  /** int32, which sum to M: predicted tokens of each piece of logits. */
  pieces: V;
  /** int32 scalar N; int32 vectors [-1, T, w], [-1, T·w/2, 2], [1, T·w/2, 2] and [1, T, T]. */
  tokens: V;
  headsShape: V;
  pairsShape: V;
  rotationShape: V;
  maskShape: V;
  /** [4, length·w/2, 2], length ≥ T: the rotations of queries (times 1/√w) and keys, then the same two turned back. */
  rotations: V;
  /** [1, length, length]: 0 where a key may be read, else very negative. */
  mask: V;
}

/** `rotations` of `PassInputs` for tokens that stand at these positions of their texts. */
export function rotationsAt(config: DecoderConfig, places: readonly number[]) {
  const width = headWidthOf(config);
  const byPlace = new Map([...new Set(places)].map((place) => [place, headTurns(config, place)]));
  const rotations = new Float32Array(4 * places.length * width);
  let at = 0;
  for (const direction of [1, -1]) {
    for (const scale of [1 / Math.sqrt(width), 1]) {
      for (const place of places) {
        const head = byPlace.get(place)!;
        for (let j = 0; j < width; j += 2) {
          rotations[at++] = head[j]! * scale;
          rotations[at++] = direction * head[j + 1]! * scale;
        }
      }
    }
  }
  return { values: rotations, shape: [4, (places.length * width) / 2, 2] };
}

/** The tables of `PassInputs` for rows of up to `length` tokens: functions of the config alone. */
export function makeTables(config: DecoderConfig, length: number) {
  const places = Array.from({ length }, (_, t) => t);
  const mask = new Float32Array(length * length);
  for (let t = 0; t < length; t++) {
    mask.fill(-1e9, t * length + t + 1, (t + 1) * length);
    if (config.window !== undefined) mask.fill(-1e9, t * length, t * length + Math.max(0, t + 1 - config.window));
  }
  return { rotations: rotationsAt(config, places), mask: { values: mask, shape: [1, length, length] } };
}

/** The sizes of `PassInputs` for one batch. */
export function passShapes(
  config: DecoderConfig,
  { batch, time, targets, thinking }: Pick<Batch, 'batch' | 'time' | 'targets' | 'thinking'>,
) {
  const width = headWidthOf(config);
  const pairs = (time * width) / 2;
  const stands = thinking && placesOf(thinking);
  const most = Math.max(1, Math.floor(LOGITS / config.vocabSize));
  const pieces = Math.max(1, Math.ceil(targets.length / most));
  return {
    places: Int32Array.from({ length: batch * time }, (_, n) => stands?.[n % time] ?? n % time),
    pieces: Array.from({ length: pieces }, (_, n) => Math.min(most, targets.length - n * most)),
    tokens: batch * time,
    headsShape: [-1, time, width],
    pairsShape: [-1, pairs, 2],
    rotationShape: [1, pairs, 2],
    maskShape: [1, time, time],
  };
}

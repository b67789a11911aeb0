/**
 * Forward passes of one model: recorded once as a graph, run on caches.
 *
 *   const passes = new Passes(config, weights, kernels);
 *   const logits = passes.run(cache, ids, 'logits');        // ids: [slots · tokens]
 *
 * Where the library does not take a graph, or with STARTRAIL_ENGINE_GRAPH=off, the same code runs op by op.
 */
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { MASKED, type Cache } from './cache.ts';
import { forward, type Affine, type ForwardInputs, type LayerWeights } from './forward.ts';
import { GraphKernels, type LoadedGraph, type Node } from './graph.ts';
import type { HandleKernels } from './handles.ts';
import { CODES } from './kernels.ts';
import { headWidthOf, kvHeadsOf } from './parameters.ts';
import { free, ints, tensor, type Handle } from './raw.ts';
import type { DecoderWeights } from './weights.ts';

/**
 * What a pass is to give: the likeliest token of each slot, int32 [slots], all logits [slots, vocab], or what stands before the
 * output layer, [slots, d], the last norm's gain and bias not yet applied.
 */
export type Wanted = (typeof OUTPUTS)[number];
const OUTPUTS = ['best', 'logits', 'normed'] as const;

const INTEGERS = [
  'ids',
  'positions',
  'rows',
  'last',
  'maskShape',
  'cacheShape',
  'queryShape',
  'scoreShape',
  'ownShape',
  'spans',
] as const;
const TABLES = ['places', 'embedding'] as const;

export class Passes {
  readonly #config: DecoderConfig;
  readonly #weights: DecoderWeights;
  readonly #kernels: HandleKernels;
  readonly #graphs = new Map<boolean, LoadedGraph | null>();

  constructor(
    config: DecoderConfig,
    weights: DecoderWeights,
    kernels: HandleKernels,
    readonly mode: 'graph' | 'eager',
  ) {
    this.#config = config;
    this.#weights = weights;
    this.#kernels = kernels;
  }

  /**
   * Runs `ids` [slots · tokens] (a slot's tokens follow one another) at the cache's next positions and fills those.
   * @returns what is `wanted` after each slot's last token, or after every token; the caller frees it.
   */
  run(cache: Cache, ids: Int32Array, wanted: Wanted, after: 'last' | 'every' = 'last'): Handle {
    const { slots, prefix } = cache;
    const tokens = ids.length / slots;
    const passing = this.#inputsOf(cache, ids, tokens, after);
    const graph = this.#graph(prefix !== undefined);
    const fixed = {
      places: this.#weights.places((prefix?.length ?? 0) + cache.length + tokens),
      embedding: this.#weights.embedding,
      head: this.#weights.head,
      layers: this.#weights.layers.slice(0, this.#config.layers),
      caches: cache.parts,
      prefixKeys: prefix?.keys ?? [],
      prefixValues: prefix?.values ?? [],
    };
    const inputs = { ...passing, ...fixed };
    try {
      if (graph !== null) return graph.runHandles(feeds(inputs), [OUTPUTS.indexOf(wanted)])[0]!;
      const made = forward(this.#kernels, this.#config, inputs, prefix !== undefined);
      this.#kernels.release(made[wanted]);
      return made[wanted];
    } finally {
      cache.fill(tokens);
      free(...Object.values(passing));
    }
  }

  close(): void {
    for (const graph of this.#graphs.values()) graph?.dispose();
    this.#graphs.clear();
  }

  #inputsOf(cache: Cache, ids: Int32Array, tokens: number, after: 'last' | 'every') {
    const { slots, room, length, padding } = cache;
    const groups = kvHeadsOf(this.#config);
    const { window } = this.#config;
    const [group, width] = [this.#config.heads / groups, headWidthOf(this.#config)];
    // A slot whose row has ended goes on; a table of learned positions does not.
    const end = this.#config.positions === 'learned' ? this.#config.context - 1 : Infinity;
    const before = cache.prefix?.length ?? 0;
    const positions = new Int32Array(ids.length);
    const last = new Int32Array(slots);
    const mask = new Float32Array(ids.length * room);
    for (let slot = 0, n = 0; slot < slots; slot++) {
      const seen = cache.mask.subarray(slot * room, (slot + 1) * room);
      for (let t = 0; t < tokens; t++, n++) {
        positions[n] = Math.min(end, before + Math.max(0, length + t - padding[slot]!));
        const row = mask.subarray(n * room, (n + 1) * room);
        row.set(seen);
        if (length + t >= padding[slot]!) row.fill(0, Math.max(length, padding[slot]!), length + t + 1);
        // In slots' places: what a row may look at stands without a gap behind its padding.
        if (window !== undefined) row.fill(MASKED, 0, Math.max(0, length + t + 1 - window));
      }
      last[slot] = n - 1;
    }
    const vector = (...values: number[]) => ints([values.length], values);
    return {
      ids: ints([ids.length], ids),
      positions: ints([ids.length], positions),
      rows: ints([2 * groups * ids.length], cache.rows(tokens)),
      last: after === 'last' ? ints([slots], last) : ints([ids.length], Array.from(ids.keys())),
      mask: tensor([ids.length, room], mask),
      maskShape: vector(1, ids.length * group, room),
      cacheShape: vector(2 * groups * slots, room, width),
      queryShape: vector(groups * slots, tokens * group, width),
      scoreShape: vector(groups, ids.length * group, room),
      ownShape: vector(groups * slots, tokens * group, room),
      spans: vector(before, room),
    };
  }

  #graph(prefixed: boolean): LoadedGraph | null {
    const known = this.#graphs.get(prefixed);
    if (known !== undefined) return known;
    const made = this.mode === 'eager' ? null : record(this.#config, this.#weights, prefixed);
    this.#graphs.set(prefixed, made);
    return made;
  }
}

/** A graph's inputs in one order. */
function feeds<V>(inputs: ForwardInputs<V>): V[] {
  return [
    ...INTEGERS.map((name) => inputs[name]),
    inputs.mask,
    ...TABLES.map((name) => inputs[name]),
    ...affineParts(inputs.head),
    ...inputs.layers.flatMap(({ qkv, headGains, o, up, gate, down }) => [
      ...affineParts(qkv),
      ...(headGains === undefined ? [] : [headGains]),
      ...[o, up, gate, down].flatMap(affineParts),
    ]),
    ...inputs.caches,
    ...inputs.prefixKeys,
    ...inputs.prefixValues,
  ];
}

const affineParts = <V>(affine: Affine<V> | undefined): V[] =>
  affine === undefined ? [] : affine.bias === undefined ? [affine.matrix] : [affine.matrix, affine.bias];

function record(config: DecoderConfig, weights: DecoderWeights, prefixed: boolean): LoadedGraph {
  const k = new GraphKernels();
  const float = (): Node => k.input(CODES.float32);
  const each = <X>(make: () => X, count = config.layers): X[] => Array.from({ length: count }, make);
  const integers = Object.fromEntries(INTEGERS.map((name) => [name, k.input(CODES.int32)])) as Record<
    (typeof INTEGERS)[number],
    Node
  >;
  /** A stand-in for each part that is there. */
  const affine = ({ bias }: Affine<Handle>): Affine<Node> => ({
    matrix: float(),
    ...(bias !== undefined && { bias: float() }),
  });
  // The order of `feeds`.
  const inputs: ForwardInputs<Node> = {
    ...integers,
    mask: float(),
    places: float(),
    embedding: float(),
    head: affine(weights.head),
    layers: weights.layers.slice(0, config.layers).map(({ qkv, headGains, o, up, gate, down }): LayerWeights<Node> => ({
      qkv: affine(qkv),
      ...(headGains !== undefined && { headGains: float() }),
      o: affine(o),
      up: affine(up),
      ...(gate !== undefined && { gate: affine(gate) }),
      down: affine(down),
    })),
    caches: each(float),
    prefixKeys: each(float, prefixed ? config.layers : 0),
    prefixValues: each(float, prefixed ? config.layers : 0),
  };
  const made = forward(k, config, inputs, prefixed);
  return k.load(OUTPUTS.map((name) => made[name]));
}

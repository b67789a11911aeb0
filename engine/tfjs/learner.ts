/**
 * What a training pass multiplies by, and what of it learns: all weights, or a low-rank adapter on frozen ones.
 *
 *   const learner = new FullLearner(kernels, layout, weights);
 *   const loss = learn(kernels, config, learner, inputs);        // gradient.ts
 *   const gradient = learner.gradient();                         // [layout.size]
 *
 * LoRA (Hu et al. 2021, arXiv:2106.09685): W + s·B·A with s = alpha/rank, W frozen. The matrix of each step is made as a
 * whole, once, before it meets the tokens: r/N of the product's own work, and no pass over tokens is added; the gradient
 * towards the tokens is one product as well. With a gain g before the product, (W + s·B·A)·g = W·g + s·B·(A·g): the frozen
 * W·g is made when training begins.
 */
import type { AdapterOptions } from '../../schemas/checkpoint.ts';
import type { Kernels } from './kernels.ts';
import type { Layout } from './layout.ts';

/** Matrices are [out, in]; `gain` names a norm whose gain is multiplied into the columns. */
export interface Learner<V> {
  /** [vocab, d] */
  embedding(): V;
  matrix(name: string, gain?: string): V;
  /** Takes the gradients `dOut` [N, out] of what matrix(name, gain) made of `input` [N, in]. */
  learn(name: string, dOut: V, input: V, gain?: string): void;
  /** [M, vocab] of the normed rows [M, d], the last gain not yet applied. */
  logits(normed: V): V;
  /** Takes the gradients of the logits; gives those of `normed`. */
  logitsBack(dLogits: V, normed: V): V;
  readonly learnsEmbedding: boolean;
  /** [vocab, d], the part that came through the look-up. */
  learnEmbedding(gradient: V): void;
  /** Of everything that learns, as one vector [layout.size]. */
  gradient(): V;
}

/** The vector as its blocks. */
function blocksOf<V>(k: Kernels<V>, { blocks }: Layout, vector: V): Map<string, V> {
  const lengths = blocks.map(({ length }) => length);
  const flat = k.splitBy(vector, lengths);
  return new Map(blocks.map(({ name, shape }, i) => [name, k.reshape(flat[i]!, shape)]));
}

const joined = <V>(k: Kernels<V>, { blocks }: Layout, gradients: ReadonlyMap<string, V>): V =>
  k.concat(blocks.map(({ name, length }) => k.reshape(gradients.get(name)!, [length])));

/** Every weight learns. */
export class FullLearner<V> implements Learner<V> {
  readonly learnsEmbedding = true;
  readonly #weights: Map<string, V>;
  readonly #gradients = new Map<string, V>();
  readonly #head: string;
  #output!: V;

  constructor(
    readonly k: Kernels<V>,
    readonly layout: Layout,
    weights: V,
  ) {
    this.#weights = blocksOf(k, layout, weights);
    this.#head = layout.config.tiedEmbeddings ? 'embed' : 'head';
  }

  #weight(name: string): V {
    return this.#weights.get(name)!;
  }
  embedding(): V {
    return this.#weight('embed');
  }
  matrix(name: string, gain?: string): V {
    return gain === undefined ? this.#weight(name) : this.k.mul(this.#weight(name), this.#weight(gain));
  }
  learn(name: string, dOut: V, input: V, gain?: string): void {
    const { k } = this;
    const folded = k.matmul(dOut, input, true);
    if (gain === undefined) {
      this.#gradients.set(name, folded);
      return;
    }
    const byElement = k.mul(folded, this.#weight(name));
    const gainGradient = k.sum(byElement, 0);
    const before = this.#gradients.get(gain);
    this.#gradients.set(gain, before === undefined ? gainGradient : k.add(before, gainGradient));
    this.#gradients.set(name, k.mul(folded, this.#weight(gain)));
    k.free(byElement, folded);
  }
  logits(normed: V): V {
    this.#output = this.matrix(this.#head, 'norm');
    return this.k.matmul(normed, this.#output, false, true);
  }
  logitsBack(dLogits: V, normed: V): V {
    this.learn(this.#head, dLogits, normed, 'norm');
    const result = this.k.matmul(dLogits, this.#output);
    this.k.free(this.#output);
    return result;
  }
  learnEmbedding(gradient: V): void {
    const viaHead = this.#gradients.get('embed');
    this.#gradients.set('embed', viaHead === undefined ? gradient : this.k.add(gradient, viaHead));
  }
  gradient(): V {
    return joined(this.k, this.layout, this.#gradients);
  }
}

/** The frozen weights are given block by block (`frozenBlocks` of adapter.ts), gains folded in; only the adapter learns. */
export class AdapterLearner<V> implements Learner<V> {
  readonly learnsEmbedding = false;
  readonly #adapter: Map<string, V>;
  readonly #gradients = new Map<string, V>();
  /** A·gain of each block, from `matrix` to `learn`. */
  readonly #folded = new Map<string, V>();
  readonly #scale: V;

  /** @param masks of each block whose B holds several matrices: 1 where one of them lies, else 0. */
  constructor(
    readonly k: Kernels<V>,
    readonly layout: Layout & { adapter: AdapterOptions },
    adapter: V,
    readonly frozen: ReadonlyMap<string, V>,
  ) {
    this.#adapter = blocksOf(k, layout, adapter);
    this.#scale = k.scalar(layout.adapter.alpha / layout.adapter.rank);
  }

  #frozen(name: string): V {
    return this.frozen.get(name)!;
  }
  embedding(): V {
    return this.#frozen('embed');
  }
  matrix(name: string, gain?: string): V {
    const { k } = this;
    const a = this.#adapter.get(`${name}.A`)!;
    const folded = gain === undefined ? a : k.mul(a, this.#frozen(gain));
    this.#folded.set(name, folded);
    const scaled = k.mul(this.#adapter.get(`${name}.B`)!, this.#scale);
    const product = k.matmul(scaled, folded);
    const whole = k.add(this.#frozen(name), product);
    k.free(scaled, product);
    return whole;
  }
  learn(name: string, dOut: V, input: V, gain?: string): void {
    const { k } = this;
    const folded = this.#folded.get(name)!;
    const scaled = k.mul(this.#adapter.get(`${name}.B`)!, this.#scale);
    const inner = k.matmul(input, folded, false, true);
    const dInner = k.matmul(dOut, scaled);
    const dB = k.mul(k.matmul(dOut, inner, true), this.#scale);
    const dFolded = k.matmul(dInner, input, true);
    const mask = this.frozen.get(`${name}.mask`);
    this.#gradients.set(`${name}.B`, mask === undefined ? dB : k.mul(dB, mask));
    this.#gradients.set(`${name}.A`, gain === undefined ? dFolded : k.mul(dFolded, this.#frozen(gain)));
    k.free(scaled, inner, dInner);
  }
  #head(): V {
    return this.#frozen(this.layout.config.tiedEmbeddings ? 'embed' : 'head');
  }
  logits(normed: V): V {
    return this.k.matmul(this.k.mul(normed, this.#frozen('norm')), this.#head(), false, true);
  }
  logitsBack(dLogits: V): V {
    return this.k.mul(this.k.matmul(dLogits, this.#head()), this.#frozen('norm'));
  }
  learnEmbedding(): void {
    // Frozen.
  }
  gradient(): V {
    return joined(this.k, this.layout, this.#gradients);
  }
}

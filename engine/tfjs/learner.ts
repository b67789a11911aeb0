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
import { gainOf } from './layout.ts';
import type { Layout } from './layout.ts';

/** Blocks by their names in the layout; matrices are [out, in]. */
export interface Learner<V> {
  /** As it is: embedding, learned positions, gains. */
  block(name: string): V;
  /** What is added to what `name` makes of a row; undefined where nothing is. */
  bias(name: string): V | undefined;
  /** The gain of the norm before it (`gainOf`) multiplied into its columns. */
  matrix(name: string): V;
  /** Takes the gradients `dOut` [N, out] of what matrix(name) made of `input` [N, in]. */
  learn(name: string, dOut: V, input: V): void;
  /** Takes the same gradients for bias(name), if there is one. */
  learnBias(name: string, dOut: V): void;
  /** Takes the gradient of a block that is used as it is, or a part of it: parts add up. */
  learnBlock(name: string, gradient: V): void;
  /** How many there are to choose from: the vocabulary's, or the reward head's two, wrong and right. */
  readonly classes: number;
  /** [M, classes] of rows [M, d] of the last norm. */
  logits(normed: V): V;
  /** Takes the gradients of the logits; gives those of `normed`. */
  logitsBack(dLogits: V, normed: V): V;
  /** Of everything that learns, as one vector [layout.size]. */
  gradient(): V;
}

/** A reward z as logits [M, 2] of wrong and right: their softmax is (1 − σ(z), σ(z)). */
const asClasses = <V>(k: Kernels<V>, reward: V): V => k.concat([k.mul(reward, k.scalar(0)), reward], 1);
/** What the reward has to learn of what its two classes have: [M, 1]. */
const ofReward = <V>(k: Kernels<V>, dLogits: V): V => k.splitSizes(dLogits, k.ints([1, 1]), 2, 1)[1]!;

/** The vector as its blocks. */
function blocksOf<V>(k: Kernels<V>, { blocks }: Layout, vector: V): Map<string, V> {
  const lengths = blocks.map(({ length }) => length);
  const flat = k.splitBy(vector, lengths);
  return new Map(blocks.map(({ name, shape }, i) => [name, k.reshape(flat[i]!, shape)]));
}

const joined = <V>(k: Kernels<V>, { blocks }: Layout, gradients: ReadonlyMap<string, V>): V =>
  k.concat(blocks.map(({ name, length }) => k.reshape(gradients.get(name)!, [length])));

/** Every weight learns that the pass uses. */
export class FullLearner<V> implements Learner<V> {
  readonly classes: number;
  readonly #weights: Map<string, V>;
  readonly #gradients = new Map<string, V>();
  readonly #head: string;
  #output: V | undefined;

  /** @param reward the last layer is the reward head, not the vocabulary's. */
  constructor(
    readonly k: Kernels<V>,
    readonly layout: Layout,
    weights: V,
    readonly reward = false,
  ) {
    this.#weights = blocksOf(k, layout, weights);
    this.#head = reward ? 'score' : layout.config.tiedEmbeddings ? 'embed' : 'head';
    this.classes = reward ? 2 : layout.config.vocabSize;
  }

  block(name: string): V {
    return this.#weights.get(name)!;
  }
  bias(name: string): V | undefined {
    return this.#weights.get(`${name}.bias`);
  }
  matrix(name: string): V {
    return this.#times(name, gainOf(this.layout.config, name));
  }
  #times(name: string, gain: string | undefined): V {
    return gain === undefined ? this.block(name) : this.k.mul(this.block(name), this.block(gain));
  }
  learn(name: string, dOut: V, input: V): void {
    this.#learn(name, dOut, input, gainOf(this.layout.config, name));
  }
  #learn(name: string, dOut: V, input: V, gain: string | undefined): void {
    const { k } = this;
    const folded = k.matmul(dOut, input, true);
    if (gain === undefined) {
      this.learnBlock(name, folded);
      return;
    }
    const byElement = k.mul(folded, this.block(name));
    this.learnBlock(gain, k.sum(byElement, 0));
    this.learnBlock(name, k.mul(folded, this.block(gain)));
    k.free(byElement, folded);
  }
  learnBias(name: string, dOut: V): void {
    if (this.#weights.has(`${name}.bias`)) this.learnBlock(`${name}.bias`, this.k.sum(dOut, 0));
  }
  learnBlock(name: string, gradient: V): void {
    const before = this.#gradients.get(name);
    this.#gradients.set(name, before === undefined ? gradient : this.k.add(before, gradient));
  }
  logits(normed: V): V {
    const { k } = this;
    this.#output ??= this.#times(this.#head, gainOf(this.layout.config, 'head'));
    const product = k.matmul(normed, this.#output, false, true);
    if (this.reward) return asClasses(k, product);
    const bias = this.bias('head');
    return bias === undefined ? product : k.add(product, bias);
  }
  logitsBack(dLogits: V, normed: V): V {
    const dOutput = this.reward ? ofReward(this.k, dLogits) : dLogits;
    this.#learn(this.#head, dOutput, normed, gainOf(this.layout.config, 'head'));
    if (!this.reward) this.learnBias('head', dLogits);
    // The next piece waits for this one's gradients too.
    return this.k.after(this.k.matmul(dOutput, this.#output!), this.#gradients.get(this.#head)!);
  }
  gradient(): V {
    const { k } = this;
    for (const { name } of this.layout.blocks)
      if (!this.#gradients.has(name)) this.#gradients.set(name, k.mul(this.block(name), k.scalar(0)));
    return joined(k, this.layout, this.#gradients);
  }
}

/**
 * The frozen weights are given block by block (`frozenBlocks` of adapter.ts), gains folded in; only the adapter learns, and the
 * reward head where the layout has one.
 */
export class AdapterLearner<V> implements Learner<V> {
  readonly classes: number;
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
    this.classes = this.#adapter.has('score') ? 2 : layout.config.vocabSize;
  }

  #frozen(name: string): V {
    return this.frozen.get(name)!;
  }
  block(name: string): V {
    return this.#frozen(name);
  }
  bias(name: string): V | undefined {
    return this.frozen.get(`${name}.bias`);
  }
  matrix(name: string): V {
    const { k } = this;
    const gain = gainOf(this.layout.config, name);
    const a = this.#adapter.get(`${name}.A`)!;
    const folded = gain === undefined ? a : k.mul(a, this.#frozen(gain));
    this.#folded.set(name, folded);
    const scaled = k.mul(this.#adapter.get(`${name}.B`)!, this.#scale);
    const product = k.matmul(scaled, folded);
    const whole = k.add(this.#frozen(name), product);
    k.free(scaled, product);
    return whole;
  }
  learn(name: string, dOut: V, input: V): void {
    const { k } = this;
    const gain = gainOf(this.layout.config, name);
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
    return this.#adapter.get('score') ?? this.#frozen(this.layout.config.tiedEmbeddings ? 'embed' : 'head');
  }
  /** Times the last gain, where it is not applied yet. */
  #gained(rows: V): V {
    const gain = gainOf(this.layout.config, 'head');
    return gain === undefined ? rows : this.k.mul(rows, this.#frozen(gain));
  }
  logits(normed: V): V {
    const product = this.k.matmul(this.#gained(normed), this.#head(), false, true);
    if (this.#adapter.has('score')) return asClasses(this.k, product);
    const bias = this.bias('head');
    return bias === undefined ? product : this.k.add(product, bias);
  }
  logitsBack(dLogits: V, normed: V): V {
    const { k } = this;
    if (!this.#adapter.has('score')) return this.#gained(k.matmul(dLogits, this.#head()));
    const dReward = ofReward(k, dLogits);
    const own = k.matmul(dReward, this.#gained(normed), true);
    const before = this.#gradients.get('score');
    this.#gradients.set('score', before === undefined ? own : k.add(before, own));
    return this.#gained(k.matmul(dReward, this.#head()));
  }
  learnBias(): void {
    // Frozen.
  }
  learnBlock(): void {
    // Frozen.
  }
  gradient(): V {
    return joined(this.k, this.layout, this.#gradients);
  }
}

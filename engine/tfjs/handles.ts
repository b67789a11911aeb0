/**
 * The kernels on bare handles, one by one: for what is done between passes, and as the reference a recorded pass is tested
 * against.
 *
 *   const k = new HandleKernels();
 *   const y = k.relu(x);
 *   k.release();                 // frees y
 *   k.close();                   // frees the constants too
 */
import { unsupported } from './eager.ts';
import { Kernels, type Attribute, type Special } from './kernels.ts';
import { execute, free, ints, tensor, type Handle } from './raw.ts';

export class HandleKernels extends Kernels<Handle> {
  readonly #constants = new Map<string, Handle>();
  #passing: Handle[] = [];

  constructor(without: ReadonlySet<Special> = unsupported()) {
    super(without);
  }

  run(op: string, attributes: Attribute[], inputs: Handle[], outputs: number): Handle[] {
    const made = execute(op, attributes, inputs, outputs);
    for (const handle of made) this.#passing.push(handle);
    return made;
  }
  #constant(key: string, make: () => Handle): Handle {
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#constants.set(key, made);
    return made;
  }
  ints(values: readonly number[], shape: number[] = [values.length]): Handle {
    return this.#constant(`${shape.length}:${values.join()}`, () => ints(shape, values));
  }
  scalar(value: number): Handle {
    return this.#constant(`scalar ${value}`, () => tensor([], Float32Array.of(value)));
  }
  /** A vector of int32 that lives until `release`. */
  vector(values: ArrayLike<number>): Handle {
    return this.own(ints([values.length], values));
  }
  own(handle: Handle): Handle {
    this.#passing.push(handle);
    return handle;
  }
  free(): void {
    // What may be freed early is: `release` comes soon.
  }
  /** Frees every result so far but `kept`, which the caller owns from now on. */
  release(...kept: Handle[]): void {
    for (const handle of this.#passing) if (!kept.includes(handle)) free(handle);
    this.#passing = [];
  }
  close(): void {
    this.release();
    free(...this.#constants.values());
    this.#constants.clear();
  }
}

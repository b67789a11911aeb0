/**
 * The same calls as `EagerKernels`, recorded as a graph that the library then runs as a whole.
 *
 *   const k = new GraphKernels();
 *   const x = k.input(CODES.float32);
 *   const graph = k.load([k.relu(x)]);
 *   const [y] = graph.run([tensor]);
 *
 * Why: inside a graph the library writes element-wise results over inputs that nobody reads any more, and no op costs a
 * crossing from JavaScript. The binding can load a graph only as a SavedModel, so one is written to a temporary folder;
 * the bytes are protocol buffers by hand (tensorflow/core/protobuf/saved_model.proto, framework/graph.proto), a dozen
 * fields in all.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { unsupported } from './eager.ts';
import { CODES, Kernels } from './kernels.ts';
import type { Attribute, Special } from './kernels.ts';
import { backend } from './native.ts';
import type { Tensor } from './native.ts';

/** A value of the graph: `node` or `node:output`. */
export type Node = string;

const VARINT = 0;
const BYTES = 2;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  // Two's complement in 64 bits for negative numbers, as int64 fields want it.
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}
const number = (field: number, value: number) => Buffer.concat([varint(field * 8 + VARINT), varint(value)]);
function bytes(field: number, ...parts: (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([varint(field * 8 + BYTES), varint(body.length), body]);
}
/** TensorShapeProto; no shape means that the rank is not known. */
const shapeProto = (shape: readonly number[] | null) =>
  shape === null ? number(3, 1) : Buffer.concat(shape.map((side) => bytes(2, number(1, side))));
/** An entry of NodeDef.attr. */
const attribute = (name: string, value: Buffer) => bytes(5, bytes(1, name), bytes(2, value));
const typeAttribute = (name: string, code: number) => attribute(name, number(6, code));

/** A recorded graph, loaded. */
export interface LoadedGraph {
  /** Values in the order of the inputs and outputs it was loaded with; the caller disposes of the results. */
  run(values: Tensor[]): Tensor[];
  /** The same on bare handles (see raw.ts); `fetch` says which outputs, all if absent: what those do not need is not run. */
  runHandles(handles: number[], fetch?: readonly number[]): number[];
  dispose(): void;
}

interface SavedModelBackend {
  binding: {
    loadSavedModel(folder: string, tags: string): number;
    runSavedModel(id: number, inputs: number[], inputNames: string, outputNames: string): unknown[];
    deleteSavedModel(id: number): void;
  };
  getInputTensorIds(tensors: Tensor[]): number[];
  createOutputTensor(metadata: unknown): Tensor;
}
const saved = backend as unknown as SavedModelBackend;

/** Records each op instead of running it. */
export class GraphKernels extends Kernels<Node> {
  readonly #nodes: Buffer[] = [];
  readonly #inputs: Node[] = [];
  readonly #constants = new Map<string, Node>();

  constructor(without: ReadonlySet<Special> = unsupported()) {
    super(without);
  }

  #node(op: string, inputs: readonly Node[], attributes: Buffer[]): Node {
    const name = `n${this.#nodes.length}`;
    this.#nodes.push(bytes(1, bytes(1, name), bytes(2, op), ...inputs.map((input) => bytes(3, input)), ...attributes));
    return name;
  }
  run(op: string, attributes: Attribute[], inputs: Node[], outputs: number): Node[] {
    const encoded = attributes.map(({ name, type, value }) => {
      if (type === CODES.type) return typeAttribute(name, value as number);
      if (type === CODES.int) return attribute(name, number(3, value as number));
      if (type === CODES.string) return attribute(name, bytes(2, value as string));
      return attribute(name, number(5, value === true ? 1 : 0));
    });
    const name = this.#node(op, inputs, encoded);
    return Array.from({ length: outputs }, (_, i) => (i === 0 ? name : `${name}:${i}`));
  }
  #constant(dtype: number, shape: readonly number[], values: Float32Array | Int32Array): Node {
    const key = `${dtype} ${shape.join()} ${values.join()}`;
    const content = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const tensor = bytes(8, number(1, dtype), bytes(2, shapeProto(shape)), bytes(4, content));
    const known = this.#constants.get(key);
    const node = known ?? this.#node('Const', [], [typeAttribute('dtype', dtype), attribute('value', tensor)]);
    this.#constants.set(key, node);
    return node;
  }
  ints(values: readonly number[], shape: number[] = [values.length]): Node {
    return this.#constant(CODES.int32, shape, Int32Array.from(values));
  }
  scalar(value: number): Node {
    return this.#constant(CODES.float32, [], Float32Array.of(value));
  }
  free(): void {
    // The library counts readers itself.
  }
  override after(x: Node, done: Node): Node {
    return this.#node('Identity', [x, `^${done.split(':')[0]}`], [typeAttribute('T', CODES.float32)]);
  }

  /** A value given at each run, in the order of these calls. */
  input(dtype: number): Node {
    const shape = attribute('shape', bytes(7, shapeProto(null)));
    const node = this.#node('Placeholder', [], [typeAttribute('dtype', dtype), shape]);
    this.#inputs.push(node);
    return node;
  }

  /** Loads what was recorded. */
  load(outputs: Node[]): LoadedGraph {
    // GraphDef: nodes, then the versions of its producer and of the oldest library that may read it.
    const graph = Buffer.concat([...this.#nodes, bytes(4, number(1, 1087), number(2, 12))]);
    const model = Buffer.concat([number(1, 1), bytes(2, bytes(1, bytes(4, 'serve')), bytes(2, graph))]);
    const folder = mkdtempSync(path.join(tmpdir(), 'startrail-graph-'));
    let id: number;
    try {
      writeFileSync(path.join(folder, 'saved_model.pb'), model);
      id = saved.binding.loadSavedModel(folder, 'serve');
    } finally {
      rmSync(folder, { recursive: true });
    }
    const ports = (nodes: Node[]) => nodes.map((node) => (node.includes(':') ? node : `${node}:0`)).join();
    const [feeds, fetches] = [ports(this.#inputs), ports(outputs)];
    return {
      run(values) {
        const made = saved.binding.runSavedModel(id, saved.getInputTensorIds(values), feeds, fetches);
        return made.map((metadata) => saved.createOutputTensor(metadata));
      },
      runHandles(handles, fetch) {
        const names = fetch === undefined ? fetches : ports(fetch.map((output) => outputs[output]!));
        return saved.binding.runSavedModel(id, handles, feeds, names).map((made) => (made as { id: number }).id);
      },
      dispose: () => saved.binding.deleteSavedModel(id),
    };
  }
}

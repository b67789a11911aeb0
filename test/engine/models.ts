/** Random models and a plain forward pass to test against. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DecoderConfig, type PiecesSpec } from '../../schemas/checkpoint.ts';
import { parameterShapes } from '../../engine/tfjs/parameters.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import { weightsDigest, writeCheckpoint, type Checkpoint } from '../../engine/tfjs/safetensors.ts';
import type { LocalCheckpoint } from '../../engine/engine.ts';

export const tokenizer: PiecesSpec = {
  kind: 'pieces',
  pieces: ['<pad>', '<end>', ...'0123456789+=:,;\n?A'],
  pad: 0,
  end: 1,
};

export const reference = DecoderConfig.parse({
  vocabSize: 20,
  dModel: 64,
  layers: 3,
  heads: 4,
  dFF: 256,
  activation: 'relu',
  context: 128,
});

/** What each family of models has that Llama has not, at the sizes of `reference`. */
export const FAMILIES = {
  'GPT-2': {
    norm: 'layer',
    positions: 'learned',
    activation: 'gelu-tanh',
    biases: { qkv: true, o: true, mlp: true },
  },
  'GPT-J': {
    norm: 'layer',
    parallel: true,
    rotaryWidth: 8,
    rotaryPairs: 'neighbours',
    activation: 'gelu-tanh',
    tiedEmbeddings: false,
    biases: { mlp: true, head: true },
  },
  Qwen2: { activation: 'swiglu', kvHeads: 2, biases: { qkv: true } },
  Qwen3: { activation: 'swiglu', kvHeads: 2, headWidth: 24, qkNorm: true },
  'a mixture': {
    activation: 'gelu',
    parallel: true,
    rotaryWidth: 6,
    headWidth: 10,
    qkNorm: true,
    tiedEmbeddings: false,
    biases: { qkv: true, o: true, head: true },
  },
} as const satisfies Record<string, Partial<DecoderConfig>>;

export const seedOf = (n: number): string => n.toString(16).padStart(32, '0');

/**
 * A model with random weights. `scale` 1 gives lively logits; `ties` makes pairs of output rows equal but for a last bit,
 * so that any difference in rounding changes the tokens.
 */
export function randomModel(config: Partial<DecoderConfig> = {}, seed = 1, ties = false): Checkpoint {
  const full = { ...reference, ...config };
  const tensors: Checkpoint['tensors'] = new Map();
  for (const [n, { name, shape }] of parameterShapes(full).entries()) {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = new Float32Array(size);
    const spread = name.endsWith('.bias') ? 1 : shape.length === 1 ? 0.2 : 3 / Math.sqrt(shape[1]!);
    for (let at = 0; at < size; at++) {
      const centred = uniform(seedOf(seed), n, at) - 0.5;
      const gain = shape.length === 1 && !name.endsWith('.bias');
      data[at] = gain ? 1 + spread * centred : spread * centred;
    }
    tensors.set(name, { name, shape, data });
  }
  if (ties) {
    const rows = tensors.get(full.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight')!;
    const d = full.dModel;
    // Ids 2…9 and 10…17: the same row but for one unit in the last place here and there.
    for (let id = 2; id < 10; id++)
      for (let i = 0; i < d; i++)
        rows.data[(id + 8) * d + i] = rows.data[id * d + i]! * (1 + (((i * 7 + id) % 3) - 1) * 6e-8);
  }
  return { config: full, tokenizer, tensors };
}

/** Writes models to a folder of their own; `clean` removes it. */
export function modelFolder(): {
  save(model: Checkpoint, name?: string): Promise<LocalCheckpoint>;
  folder: string;
  clean(): void;
} {
  const folder = mkdtempSync(path.join(tmpdir(), 'startrail-test-'));
  return {
    folder,
    async save(model, name = 'model') {
      const file = path.join(folder, `${name}.safetensors`);
      await writeCheckpoint(file, model);
      return { path: file, digest: weightsDigest(model.tensors.values()) };
    },
    clean: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The prompt of an addition problem with numbers of 1–5 digits, like the reference task's. */
export function additionPrompt(n: number): string {
  const digits = 1 + (n % 5);
  const number = (k: number) =>
    String(Math.floor(uniform(seedOf(99), n, k) * 0.9 * 10 ** digits + (digits > 1 ? 10 ** (digits - 1) : 0)));
  return `${number(0)}+${number(1)}=`;
}

/** What a training by preferences, rewards or labels can tell apart. */
export const rightAndWrong = Array.from({ length: 5 }, (_, n) => ({
  prompt: additionPrompt(n),
  right: `${n}2`,
  wrong: `${n}7,1`,
}));

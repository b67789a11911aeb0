/**
 * A pretrained model as a checkpoint of ours.
 *
 *   const { weightsDigest, config } = await importPretrained('SmolLM2-135M-Instruct.Q4_1.gguf', 'model.safetensors');
 *
 * Same source ⇒ same bytes. Tensors are read one at a time: memory stays near the model's size in float32. The source is
 * taken at its word or refused: each tensor of the architecture must be there in its shape, and no other.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { DecoderConfig, HuggingFaceSpec } from '../../../schemas/checkpoint.ts';
import type { EngineControl } from '../../engine.ts';
import { architectureFault, parameterShapes } from '../parameters.ts';
import { weightsDigest, writeCheckpoint, type NamedTensor } from '../safetensors.ts';
import { decoderConfig } from './config.ts';
import { openGguf } from './gguf.ts';
import { configOf, tokenizerOf } from './gguf-model.ts';
import { GGUF_NAMES, HUB_NAMES, ours, placeOf, shapeThere, type Names } from './names.ts';
import { openHubWeights } from './safetensors-weights.ts';
import { refused, type Weights } from './source.ts';
import { readJson, readTokenizer } from './tokenizer-files.ts';

export interface Imported {
  weightsDigest: string;
  config: DecoderConfig;
  tokenizer: HuggingFaceSpec;
}

interface Opened {
  weights: Weights;
  names: Names;
  config: DecoderConfig;
  tokenizer: HuggingFaceSpec;
}

/** In files of some writers; they hold nothing that the config does not say: causal masks, frequencies of rotation. */
const DERIVED = /\.attn\.(masked_)?bias$|\.rotary_emb\.inv_freq$/;

/**
 * @param source a .gguf file, or a folder as on the Hugging Face Hub.
 * @throws EngineError CheckpointInvalid, naming the file, what is wrong and the cure; the signal's reason where it aborts.
 */
export async function importPretrained(
  source: string,
  outputPath: string,
  { signal, onProgress }: EngineControl = {},
): Promise<Imported> {
  const { weights, names, config, tokenizer } = await openModel(source);
  try {
    const fault = architectureFault(config, tokenizer);
    if (fault !== null) throw refused(source, `does not fit together: ${fault}`);
    const headWidth = config.headWidth ?? config.dModel / config.heads;
    const wanted = parameterShapes(config);
    const places = wanted.map(({ name }) => placeOf(names, name));
    // Files of tied models hold the head at times: it is the embedding again.
    const spare = config.tiedEmbeddings ? [placeOf(names, 'lm_head.weight').name] : [];
    const there = wanted.map(({ shape }, n) => ({ name: places[n]!.name, shape: shapeThere(places[n]!, shape) }));
    checkTensors(source, weights, there, spare);
    const tensors: NamedTensor[] = [];
    for (const [n, { name, shape }] of wanted.entries()) {
      signal?.throwIfAborted();
      const place = places[n]!;
      tensors.push({ name, shape, data: ours(place, await weights.read(place.name), shape, headWidth) });
      onProgress?.({ done: n + 1, total: wanted.length, tokensPerSecond: 0 });
    }
    await writeCheckpoint(outputPath, { config, tokenizer, tensors });
    return { weightsDigest: weightsDigest(tensors), config, tokenizer };
  } finally {
    await weights.close();
  }
}

/** The architecture alone. Throws as the import does where that is at fault. */
export async function inspectPretrained(source: string): Promise<DecoderConfig> {
  const { weights, config } = await openModel(source);
  await weights.close();
  return config;
}

async function openModel(source: string): Promise<Opened> {
  const found = await stat(source).catch(() => undefined);
  if (found === undefined) throw refused(source, 'does not exist', 'give a .gguf file or a model folder');
  return found.isDirectory() ? openFolder(source) : openGgufModel(source);
}

async function openFolder(folder: string): Promise<Opened> {
  const file = path.join(folder, 'config.json');
  const json = await readJson(file);
  if (json === undefined)
    throw refused(folder, 'is no model folder: it has no config.json', 'give the folder that save_pretrained wrote');
  const { family, config } = decoderConfig(file, json);
  const tokenizer = await readTokenizer(folder, json);
  const prefix = family.startsWith('gpt') ? 'transformer.' : 'model.';
  return { weights: prefixed(await openHubWeights(folder), prefix), names: HUB_NAMES[family], config, tokenizer };
}

/** A body that was saved without its head has names without the prefix. */
function prefixed(weights: Weights, prefix: string): Weights {
  if ([...weights.shapes.keys()].some((name) => name.startsWith(prefix))) return weights;
  const whole = (name: string) => (name.startsWith('lm_head.') ? name : prefix + name);
  return {
    shapes: new Map([...weights.shapes].map(([name, shape]) => [whole(name), shape])),
    read: (name) => weights.read(name.startsWith(prefix) ? name.slice(prefix.length) : name),
    close: () => weights.close(),
  };
}

async function openGgufModel(file: string): Promise<Opened> {
  const { metadata, ...weights } = openGguf(file);
  try {
    const { family, config } = decoderConfig(file, configOf(file, metadata, weights.shapes));
    const names = GGUF_NAMES[family as keyof typeof GGUF_NAMES];
    return { weights, names, config, tokenizer: tokenizerOf(file, metadata) };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

function checkTensors(
  file: string,
  { shapes }: Weights,
  wanted: readonly { name: string; shape: readonly number[] }[],
  spare: readonly string[],
): void {
  for (const { name, shape } of wanted) {
    const found = shapes.get(name);
    if (found === undefined) throw refused(file, `lacks ${name}`);
    if (found.join() !== shape.join())
      throw refused(file, `holds ${name} as [${found.join(', ')}] where its config needs [${shape.join(', ')}]`);
  }
  const known = new Set([...wanted.map(({ name }) => name), ...spare]);
  for (const name of shapes.keys()) {
    if (known.has(name) || DERIVED.test(name)) continue;
    throw refused(
      file,
      `holds ${name}, which its config does not know`,
      'give a model whose config says all it computes',
    );
  }
}

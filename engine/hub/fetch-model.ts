/**
 * A model of the Hugging Face Hub into the models folder, pinned to one commit.
 *
 *   await fetchModel(hub, { name: 'HuggingFaceTB/SmolLM2-135M', revision: 'main', models: 'models' });
 *   // models/SmolLM2-135M/{config.json, tokenizer.json, model.safetensors, …, source.json}
 *
 * Only what an import reads, and the licence's text. Files gather under `models/.fetching/`, where nobody looks for models, and the
 * folder is moved into place when all are there and checked: half a model is never taken for one. `source.json` says where it is
 * from; with the same commit its bytes are the same.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { EngineError } from '../engine.ts';
import { decoderConfig, type Json } from '../tfjs/pretrained/config.ts';
import { HubError, type Hub, type HubFile } from './client.ts';
import { download } from './download.ts';
import { lock, sourceIn, type Fetching } from './fetching.ts';

export interface FetchRequest extends Fetching {
  /** `owner/name`. */
  name: string;
  /** One .gguf file of the repository, instead of the folder. */
  file?: string | undefined;
  /** Name it gets here; absent = its own. */
  as?: string | undefined;
  models: string;
}

export interface Fetched {
  /** What `--model` takes. */
  model: string;
  place: string;
  commit: string;
  license: string | null;
  files: number;
  bytes: number;
  /** false: it was there already. */
  fresh: boolean;
}

const SMALL = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
];
const LICENCE = /^(LICEN[CS]E|NOTICE)[\w.-]*$/i;
const INDEX = 'model.safetensors.index.json';
const NAME = /^\w[\w.-]*$/;

/** @throws HubError; the signal's reason. */
export async function fetchModel(hub: Hub, request: FetchRequest): Promise<Fetched> {
  const { name, revision, models } = request;
  if (!name.split('/').every((part) => NAME.test(part)) || name.split('/').length > 2)
    throw new HubError('InvalidInput', `"${name}" is no model of the Hub; expected owner/name`);
  if (request.as !== undefined && !NAME.test(request.as))
    throw new HubError(
      'InvalidInput',
      `--as "${request.as}": a name is of letters, digits, dots, dashes and underscores`,
    );
  const { commit, license } = await hub.resolve(name, revision);
  const listed = await hub.list(name, commit);
  const gguf = chosenGguf(request, listed);
  const model = request.as ?? (gguf ? path.basename(gguf.path, '.gguf') : name.split('/').at(-1)!);
  const place = path.join(models, gguf ? `${model}.gguf` : model);
  const note = gguf ? `${place}.source.json` : path.join(place, 'source.json');
  const work = path.join(models, '.fetching', `${model}@${commit}`);

  const known = await sourceIn<Source>(note);
  if (existsSync(place)) {
    if (known?.source !== name || known.commit !== commit)
      throw new HubError(
        'ModelExists',
        `${place} is there already${known ? ` (${known.source} at ${known.commit.slice(0, 12)})` : ''}; delete it, or give the new one another name with --as`,
      );
    return { model, place, commit, license, files: known.files.length, bytes: sum(known.files), fresh: false };
  }

  const release = await lock(`${work}.lock`, model);
  try {
    return await gather();
  } finally {
    await release();
  }

  async function gather(): Promise<Fetched> {
    const told = { done: 0, total: 0 };
    const take = async (file: HubFile) => {
      const onBytes = (bytes: number) => request.onProgress?.(file.path, told.done + bytes, told.total);
      await download(hub, { ...request, commit, file, folder: work, onBytes });
      told.done += file.size;
    };
    const small = gguf ? [] : smallFiles(name, listed);
    told.total = sum(small);
    for (const file of small) await take(file);
    if (!gguf) await checkConfig(name, work);
    const weights = gguf ? [gguf] : await weightFiles(name, listed, work);
    const files = [...small, ...weights];
    told.total = sum(files);
    await checkSpace(models, work, weights);
    request.onPlan?.({ commit, license, files: files.length, bytes: told.total });
    for (const file of weights) await take(file);

    const source: Source = {
      ...{ format: 1, source: name, commit, license },
      files: files.map(({ path: at, size, expected }) => ({ path: at, size, [expected.kind]: expected.digest })),
    };
    const text = `${JSON.stringify(source, null, 2)}\n`;
    if (gguf) {
      await writeFile(note, text);
      await rename(path.join(work, path.basename(gguf.path)), place);
      await rm(work, { recursive: true });
    } else {
      await writeFile(path.join(work, 'source.json'), text);
      await rename(work, place);
    }
    return { model, place, commit, license, files: files.length, bytes: told.total, fresh: true };
  }
}

interface Source {
  format: 1;
  source: string;
  commit: string;
  license: string | null;
  files: { path: string; size: number; sha256?: string; git?: string }[];
}

const sum = (files: readonly { size: number }[]): number => files.reduce((total, { size }) => total + size, 0);
const unsupported = (name: string, fault: string) => new HubError('ModelUnsupported', `${name} ${fault}`);

/** The GGUF file that is meant; undefined where the folder is. */
function chosenGguf({ name, file }: FetchRequest, listed: readonly HubFile[]): HubFile | undefined {
  const ggufs = listed.filter(({ path: at }) => at.endsWith('.gguf'));
  const choice = ggufs.map(({ path: at }) => at).join(', ') || 'none';
  if (file !== undefined) {
    const found = ggufs.find(({ path: at }) => at === file);
    if (!found) throw new HubError('ModelNotFound', `${name} has no GGUF file ${file}; it has ${choice}`);
    return found;
  }
  if (listed.some(({ path: at }) => at === 'config.json' || at === 'model.safetensors')) return undefined;
  if (ggufs.length === 1) return ggufs[0];
  throw unsupported(
    name,
    ggufs.length === 0
      ? 'has neither config.json nor a GGUF file; name a model for transformers or llama.cpp'
      : `has several models; name one with --file: ${choice}`,
  );
}

function smallFiles(name: string, listed: readonly HubFile[]): HubFile[] {
  for (const needed of ['config.json', 'tokenizer.json'])
    if (!listed.some(({ path: at }) => at === needed))
      throw unsupported(name, `has no ${needed}; name a model with one, or a GGUF file of it`);
  const single = listed.some(({ path: at }) => at === 'model.safetensors');
  return listed.filter(({ path: at }) => SMALL.includes(at) || LICENCE.test(at) || (!single && at === INDEX));
}

/** What the engine cannot compute is refused before gigabytes are fetched. */
async function checkConfig(name: string, folder: string): Promise<void> {
  try {
    decoderConfig(
      `config.json of ${name}`,
      JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8')) as Json,
    );
  } catch (error) {
    if (error instanceof EngineError) throw new HubError('ModelUnsupported', error.sentence);
    throw unsupported(name, 'has a config.json that is no JSON; name another revision');
  }
}

/** The one file, or the shards that the index names, with the index; the index is fetched already. */
async function weightFiles(name: string, listed: readonly HubFile[], folder: string): Promise<HubFile[]> {
  const at = (wanted: string) => listed.find(({ path: each }) => each === wanted);
  const single = at('model.safetensors');
  if (single) return [single];
  if (!at(INDEX))
    throw unsupported(
      name,
      'has no model.safetensors and no index of several; name a revision that has, or a GGUF file',
    );
  const index = JSON.parse(await readFile(path.join(folder, INDEX), 'utf8')) as { weight_map?: Record<string, string> };
  return [...new Set(Object.values(index.weight_map ?? {}))].sort().map((shard) => {
    const found = path.basename(shard) === shard ? at(shard) : undefined;
    if (!found)
      throw unsupported(name, `has an index that names ${shard}, which it does not have; name another revision`);
    return found;
  });
}

/** @throws HubError StoreFull, before the first byte. */
async function checkSpace(models: string, work: string, weights: readonly HubFile[]): Promise<void> {
  await mkdir(work, { recursive: true });
  const there = await Promise.all(
    weights.map(async ({ path: at }) => {
      const file = path.join(work, path.basename(at));
      const size = (one: string) =>
        stat(one).then(
          (found) => found.size,
          () => 0,
        );
      return Math.max(await size(file), await size(`${file}.part`));
    }),
  );
  const needed = sum(weights) - there.reduce((total, size) => total + size, 0);
  const { bavail, bsize } = await statfs(models);
  if (needed > bavail * bsize)
    throw new HubError(
      'StoreFull',
      `${models} has ${bavail * bsize} bytes free, the weights need ${needed}; make room, or set STARTRAIL_MODELS to another disk`,
    );
}

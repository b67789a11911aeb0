/**
 * The tokenizer of a model folder: tokenizer.json with what tokenizer_config.json, generation_config.json and config.json
 * say of its special tokens.
 *
 *   const tokenizer = await readTokenizer('SmolLM2-135M-Instruct', config);   // TokenizerSpec
 *
 * `end` is the tokenizer's own eos_token; all other eos ids of the configs end a text too. `begin` is what the tokenizer
 * itself puts before a text. Without a pad_token the end token pads, which no loss and no logit sees.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { HuggingFaceSpec } from '../../../schemas/checkpoint.ts';
import type { Json } from './config.ts';
import { refused } from './source.ts';
import { openLibrary } from './tokenizer.ts';

/** A JSON file of the folder; undefined where there is none. */
export async function readJson(file: string): Promise<Json | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw refused(file, `cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw refused(file, 'is no JSON');
  }
}

/** @throws EngineError CheckpointInvalid: no tokenizer.json, one that is not read, or no token that ends a text. */
export async function readTokenizer(folder: string, config: Json): Promise<HuggingFaceSpec> {
  const at = (name: string) => path.join(folder, name);
  const file = at('tokenizer.json');
  const description = await readJson(file);
  if (description === undefined)
    throw refused(
      folder,
      'has no tokenizer: tokenizer.json is missing',
      'save it with AutoTokenizer.from_pretrained(…).save_pretrained(folder) of transformers',
    );
  const tokenizer = JSON.stringify(description);
  const library = opened(file, tokenizer);
  const words = (await readJson(at('tokenizer_config.json'))) ?? {};
  const generation = (await readJson(at('generation_config.json'))) ?? {};
  const id = (name: string): number[] => {
    const content = contentOf(words[name]);
    const found = content === undefined ? undefined : library.token_to_id(content);
    return found === undefined ? [] : [found];
  };
  const listed = (name: string) =>
    [generation[name], config[name]].flat().filter((value): value is number => typeof value === 'number' && value >= 0);
  const [end, ...more] = [...new Set([...id('eos_token'), ...listed('eos_token_id')])];
  if (end === undefined)
    throw refused(folder, 'names no token that ends a text', 'give eos_token in its tokenizer_config.json');
  const begin = beginOf(file, library);
  const template = await templateOf(at('chat_template.jinja'), words.chat_template);
  const spoken = (name: string) => contentOf(words[name]);
  return {
    kind: 'huggingface',
    tokenizer,
    size: sizeOfVocabulary(description),
    pad: [...id('pad_token'), ...listed('pad_token_id'), end][0]!,
    end,
    ...(more.length > 0 && { ends: more }),
    ...(begin !== undefined && { begin }),
    ...(template !== undefined && { chatTemplate: template, ...tokensIn(template, spoken) }),
  };
}

const contentOf = (token: unknown): string | undefined =>
  typeof token === 'string' ? token : (token as { content?: string } | null | undefined)?.content;

const TOKENS = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'].map((kind) => `${kind}_token`);

/** The special tokens that a chat template names. */
export function tokensIn(
  template: string,
  spoken: (name: string) => string | undefined,
): Pick<HuggingFaceSpec, 'chatTokens'> {
  const named = TOKENS.filter((name) => template.includes(name))
    .map((name) => [name, spoken(name)])
    .filter(([, content]) => content !== undefined);
  return named.length > 0 ? { chatTokens: Object.fromEntries(named) as Record<string, string> } : {};
}

function opened(file: string, tokenizer: string) {
  try {
    return openLibrary(tokenizer);
  } catch (error) {
    throw refused(file, `is not read (${(error as Error).message})`, 'give a tokenizer.json of a fast tokenizer');
  }
}

function sizeOfVocabulary({ model, added_tokens: added }: Json): number {
  const { vocab } = model as { vocab: Record<string, number> | unknown[] };
  let highest = -1;
  for (const id of Array.isArray(vocab) ? [vocab.length - 1] : Object.values(vocab)) highest = Math.max(highest, id);
  for (const { id } of (added ?? []) as { id: number }[]) highest = Math.max(highest, id);
  return highest + 1;
}

function beginOf(file: string, library: ReturnType<typeof openLibrary>): number | undefined {
  const encode = (special: boolean) => library.encode('a', { add_special_tokens: special }).ids;
  const [plain, whole] = [encode(false), encode(true)];
  const begin = whole.slice(0, whole.length - plain.length);
  if (begin.length > 1 || whole.slice(begin.length).join() !== plain.join())
    throw refused(
      file,
      `puts ${whole.length - plain.length} tokens around a text`,
      'give one that puts at most one before it',
    );
  return begin[0];
}

async function templateOf(file: string, template: unknown): Promise<string | undefined> {
  const list = template as { name: string; template: string }[];
  const named = Array.isArray(template) ? list.find(({ name }) => name === 'default')?.template : template;
  const own = await readFile(file, 'utf8').catch(() => undefined);
  return own ?? (typeof named === 'string' ? named : undefined);
}

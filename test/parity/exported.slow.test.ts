/**
 * What `export model` writes, loaded by transformers (and PEFT, for the adapter alone): logits, greedy tokens, token ids.
 *
 *   npx vitest run --mode slow test/parity/exported
 *
 * One random model of each family, alone, with a LoRA merged into it, and with the LoRA beside it. exported.py asks the peers, in
 * the Python environment of the bench; skips where Python or the network are missing.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { python } from '../../bench/python.ts';
import { readModel, writeAdapter } from '../../engine/tfjs/adapter-file.ts';
import { adapterShapes, initialAdapter } from '../../engine/tfjs/adapter.ts';
import { Decoder } from '../../engine/tfjs/decoder.ts';
import { exportStored } from '../../engine/tfjs/export.ts';
import { uniform } from '../../engine/tfjs/rng.ts';
import { writeCheckpoint, type Checkpoint } from '../../engine/tfjs/safetensors.ts';
import { openTokenizer } from '../../engine/tfjs/tokenizer.ts';
import type { DecoderConfig, HuggingFaceSpec } from '../../schemas/checkpoint.ts';
import { sentence } from '../../scripts/setup/failure.mjs';
import { FAMILIES, randomModel, seedOf } from '../engine/models.ts';
import { tokenizerJson } from '../engine/pretrained-files.ts';
import { compare, readSaid, type Said } from './said.ts';

const [VOCAB, PROMPTS, COUNT] = [264, 8, 12];
const TEXTS = ['', 'the hen then', ' the end<|end|>', 'ÄÖ 北京\n\t', '<|im_end|>a'];
const ADAPTER = { rank: 3, alpha: 6 };

const MODELS: Record<string, [architecture: string, config: Partial<DecoderConfig>]> = {
  gpt2: ['GPT2LMHeadModel', FAMILIES['GPT-2']],
  gptj: ['GPTJForCausalLM', FAMILIES['GPT-J']],
  llama: ['LlamaForCausalLM', { activation: 'swiglu', kvHeads: 2 }],
  'llama-odd': [
    'LlamaForCausalLM',
    { activation: 'swiglu', kvHeads: 1, headWidth: 24, tiedEmbeddings: false, ropeTheta: 5e5 },
  ],
  // Mistral is Llama with its own width of a head.
  mistral: ['LlamaForCausalLM', { activation: 'swiglu', kvHeads: 2, headWidth: 20, tiedEmbeddings: false }],
  qwen2: ['Qwen2ForCausalLM', FAMILIES.Qwen2],
  qwen3: ['Qwen3ForCausalLM', FAMILIES.Qwen3],
};
/** PEFT has no word for three projections in one matrix: exportAdapter refuses GPT-2. */
const FORMS = Object.keys(MODELS).flatMap((name) =>
  ['whole', 'merged', 'adapter'].filter((form) => form !== 'adapter' || name !== 'gpt2').map((form) => [name, form]),
) as [string, 'whole' | 'merged' | 'adapter'][];

const tokenizer: HuggingFaceSpec = {
  kind: 'huggingface',
  tokenizer: JSON.stringify(tokenizerJson),
  ...{ size: 261, pad: 259, end: 260, ends: [259], begin: 258 },
};
const root = mkdtempSync(path.join(tmpdir(), 'exported-'));
afterAll(() => rmSync(root, { recursive: true }));
const at = (...names: string[]) => path.join(root, ...names);
const interpreter = await python((line) => process.stderr.write(`${line}\n`), ['safetensors', 'peft']).catch(
  (error: unknown) => ({ reason: sentence(error) }),
);
if (typeof interpreter !== 'string') console.log(`skips: ${interpreter.reason}`);

/** A model and an adapter on it as a run keeps them. */
async function store(name: string) {
  const model: Checkpoint = { ...randomModel({ vocabSize: VOCAB, ...MODELS[name]![1] }, 5), tokenizer };
  await writeCheckpoint(at(`${name}.safetensors`), model);
  const tensors = initialAdapter(model.config, ADAPTER, seedOf(1));
  // B begins as zero, and would leave everything as it was.
  for (const [n, { name: factor }] of adapterShapes(model.config, ADAPTER).entries())
    if (factor.includes('lora_B')) {
      const { data } = tensors.get(factor)!;
      for (let i = 0; i < data.length; i++) data[i] = uniform(seedOf(2), n, i) - 0.5;
    }
  await writeAdapter(at(`${name}-adapter.safetensors`), { base: model, options: ADAPTER, tensors });
}
const base = (name: string) => ({ path: at(`${name}.safetensors`), digest: '' });
const adapted = (name: string) => ({ path: at(`${name}-adapter.safetensors`), base: base(name) });

interface Answer extends Said {
  architecture: string;
  adapted: number;
  strange: string[][];
  ids: number[][];
  special: number[];
}

describe.skipIf(typeof interpreter !== 'string')('an exported model', () => {
  beforeAll(async () => {
    for (const name of Object.keys(MODELS)) {
      await store(name);
      await exportStored(base(name), at(name, 'whole'));
      await exportStored(adapted(name), at(name, 'merged'));
      if (name !== 'gpt2') await exportStored(adapted(name), at(name, 'adapter'), 'someone/base');
    }
    const prompts = Array.from({ length: PROMPTS }, (_, n) =>
      Array.from({ length: [3, 7][n % 2]! }, (_, i) => Math.floor(uniform(seedOf(3), n, i) * 256)),
    );
    const jobs = FORMS.map(([name, form]) => ({
      folder: at(name, form === 'adapter' ? 'whole' : form),
      ...(form === 'adapter' && { adapter: at(name, 'adapter') }),
      out: at(`${name}-${form}`),
    }));
    writeFileSync(at('jobs.json'), JSON.stringify({ prompts, count: COUNT, texts: TEXTS, jobs }));
    const program = path.join(import.meta.dirname, 'exported.py');
    await promisify(execFile)(interpreter as string, [program, at('jobs.json')]);
  }, 10 * 60_000);

  it.each(FORMS)('%s, %s: transformers says what we say', async (name, form) => {
    const stem = at(`${name}-${form}`);
    const said = readSaid<Answer>(stem);
    expect(said.architecture).toBe(MODELS[name]![0]);
    expect(said.strange).toEqual([[], [], []]);
    const model = await readModel(form === 'whole' ? base(name) : adapted(name));
    // Each of our pairs of factors is a module that PEFT adapts.
    const pairs = adapterShapes(model.config, ADAPTER).length / 2;
    expect(said.adapted).toBe(form === 'adapter' ? pairs : 0);
    const decoder = new Decoder(model);
    const { first, last, tokens } = await compare(decoder, said, stem, 8);
    decoder.close();
    const worst = Math.max(first, last);
    console.log(`${name}, ${form}: logits differ by at most ${worst.toExponential(1)}; ${tokens} greedy tokens equal`);
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThan(1e-4);
    expect(tokens).toBeGreaterThan((PROMPTS * COUNT) / 2);

    const own = openTokenizer(model.tokenizer);
    expect(said.ids).toEqual(TEXTS.map((text) => [...own.begin, ...own.encode(text)]));
    expect(said.special).toEqual([258, 260, 259]);
  });
});

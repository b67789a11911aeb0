/**
 * A checkpoint as a folder that transformers loads, float32.
 *
 *   await exportFolder(await readCheckpoint('model.safetensors'), 'folder');
 *   // AutoModelForCausalLM.from_pretrained('folder'), AutoTokenizer.from_pretrained('folder')
 *   await exportAdapter({ base, options, tensors }, 'adapter');
 *   // PeftModel.from_pretrained(model, 'adapter')
 *
 * The folder is read again by pretrained/import.ts, to the same weights. Limits: architectures that transformers has
 * (pretrained/hub-config.ts); of tokenizers a Hugging Face one is written; a list of pieces has no such form, and token ids are what
 * a trainer is given.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HuggingFaceSpec } from '../../schemas/checkpoint.ts';
import { EngineError, type LocalCheckpoint } from '../engine.ts';
import { readAdapter, readModel, type Adapter } from './adapter-file.ts';
import { adapterShapes } from './adapter.ts';
import type { Json } from './pretrained/config.ts';
import { hubConfig } from './pretrained/hub-config.ts';
import { HUB_NAMES, placeOf, theirs } from './pretrained/names.ts';
import { openLibrary } from './pretrained/tokenizer.ts';
import { writeSafetensors, type Checkpoint } from './safetensors.ts';

const writeJson = (folder: string, name: string, value: Json) =>
  writeFile(path.join(folder, name), `${JSON.stringify(value, null, 2)}\n`);

/** @throws EngineError CheckpointInvalid, naming what transformers has no word for. */
export async function exportFolder({ config, tokenizer, tensors }: Checkpoint, folder: string): Promise<void> {
  const { family, json } = hubConfig(config, tokenizer);
  await mkdir(folder, { recursive: true });
  await writeJson(folder, 'config.json', json);
  if (tokenizer.kind === 'huggingface') await writeTokenizer(tokenizer, config.context, folder);
  const { bos_token_id, eos_token_id, pad_token_id } = json;
  await writeJson(folder, 'generation_config.json', { bos_token_id, eos_token_id, pad_token_id });
  const named = theirs(HUB_NAMES[family], tensors.values());
  await writeSafetensors(path.join(folder, 'model.safetensors'), { format: 'pt' }, named);
}

async function writeTokenizer(spec: HuggingFaceSpec, context: number, folder: string): Promise<void> {
  const library = openLibrary(spec.tokenizer);
  const token = (id: number | undefined) => (id === undefined ? undefined : library.id_to_token(id));
  const begin = token(spec.begin);
  const description = JSON.parse(spec.tokenizer) as Json;
  // From GGUF it comes without what it puts before a text.
  if (begin !== undefined) description.post_processor ??= beginning(begin, spec.begin!);
  await writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify(description));
  await writeJson(folder, 'tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: context,
    clean_up_tokenization_spaces: false,
    bos_token: begin,
    ...spec.chatTokens,
    eos_token: token(spec.end),
    pad_token: token(spec.pad),
    chat_template: spec.chatTemplate,
  });
}

const beginning = (token: string, id: number): Json => ({
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
  special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
});

const PREFIX = 'base_model.model.';

/**
 * An adapter as PEFT keeps it. @param baseName what PEFT calls the base: a name on the Hub or a folder.
 * @throws EngineError CheckpointInvalid for GPT-2, where one matrix on the Hub is three of ours.
 */
export async function exportAdapter(
  { base, options, tensors }: Adapter,
  folder: string,
  baseName: string,
): Promise<void> {
  const { family } = hubConfig(base.config, base.tokenizer);
  const names = HUB_NAMES[family];
  const modules = new Set<string>();
  const renamed = adapterShapes(base.config, options).map(({ name, shape }) => {
    const [, stem = '', factor = ''] = /^base_model\.model\.(.*)(\.lora_[AB]\.weight)$/.exec(name) ?? [];
    const { name: there, transposed } = placeOf(names, `${stem}.weight`);
    if (transposed)
      throw new EngineError(
        'CheckpointInvalid',
        `an adapter on a ${family} model has no form in PEFT: its queries, keys and values are one matrix there; export the merged model, without --adapter`,
      );
    const module = there.slice(0, -'.weight'.length);
    modules.add(module.split('.').at(-1)!);
    return { name: PREFIX + module + factor, shape, data: tensors.get(name)!.data };
  });
  await mkdir(folder, { recursive: true });
  await writeJson(folder, 'adapter_config.json', {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: baseName,
    r: options.rank,
    lora_alpha: options.alpha,
    lora_dropout: 0,
    bias: 'none',
    fan_in_fan_out: false,
    target_modules: [...modules],
    inference_mode: true,
  });
  await writeSafetensors(path.join(folder, 'adapter_model.safetensors'), { format: 'pt' }, renamed);
}

/** A stored model: merged where it is an adapter, or with `baseName` the adapter alone. Throws as the two above. */
export async function exportStored(
  model: Pick<LocalCheckpoint, 'path' | 'base'>,
  folder: string,
  baseName?: string,
): Promise<void> {
  if (baseName === undefined || model.base === undefined) return exportFolder(await readModel(model), folder);
  await exportAdapter(await readAdapter(model.path, model.base), folder, baseName);
}

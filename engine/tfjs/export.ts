/**
 * A checkpoint as a folder that transformers loads: config.json and model.safetensors, float32.
 *
 *   await exportFolder(await readCheckpoint('model.safetensors'), 'folder');
 *   // LlamaForCausalLM.from_pretrained('folder')
 *
 * Limits: Llama's architecture alone (our tensors have its names); what else a config says is refused by name. Of tokenizers a
 * Hugging Face one is written as tokenizer.json; a list of pieces has no such form, and token ids are what a trainer is given.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { DecoderConfig } from '../../schemas/checkpoint.ts';
import { EngineError } from '../engine.ts';
import { readAdapter } from './adapter-file.ts';
import { writeSafetensors } from './safetensors.ts';
import type { Checkpoint } from './safetensors.ts';

/** What Llama's architecture has words for. */
const LLAMA = ['vocabSize', 'dModel', 'layers', 'heads', 'kvHeads', 'dFF', 'context', 'ropeTheta', 'normEpsilon'];

/** @throws EngineError CheckpointInvalid, naming what Llama has no word for. */
export function onlyLlama({ activation, tiedEmbeddings: _, ...config }: DecoderConfig): void {
  const others = Object.keys(config).filter((key) => !LLAMA.includes(key));
  const strange = [...(activation === 'swiglu' ? [] : [`activation ${activation}`]), ...others];
  if (strange.length > 0)
    throw new EngineError(
      'CheckpointInvalid',
      `a model with ${strange.join(', ')} has no form that others load as Llama; give model.activation swiglu, or train and sample it with the tfjs engine`,
    );
}

/** @throws EngineError CheckpointInvalid, naming what Llama has no word for. */
export async function exportFolder({ config, tokenizer, tensors }: Checkpoint, folder: string): Promise<void> {
  onlyLlama(config);
  const { vocabSize, dModel, layers, heads, kvHeads, dFF, context, ropeTheta, normEpsilon, tiedEmbeddings } = config;
  await mkdir(folder, { recursive: true });
  const written = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: vocabSize,
    hidden_size: dModel,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads ?? heads,
    intermediate_size: dFF,
    hidden_act: 'silu',
    max_position_embeddings: context,
    rope_theta: ropeTheta,
    rms_norm_eps: normEpsilon,
    tie_word_embeddings: tiedEmbeddings,
    attention_bias: false,
    mlp_bias: false,
    bos_token_id: null,
    eos_token_id: tokenizer.end,
    pad_token_id: tokenizer.pad,
    torch_dtype: 'float32',
  };
  await writeFile(path.join(folder, 'config.json'), `${JSON.stringify(written, null, 2)}\n`);
  const whole: { kind: string; tokenizer?: string } = tokenizer;
  if (whole.kind === 'huggingface' && whole.tokenizer !== undefined)
    await writeFile(path.join(folder, 'tokenizer.json'), whole.tokenizer);
  await writeSafetensors(path.join(folder, 'model.safetensors'), { format: 'pt' }, tensors.values());
}

/** An adapter's checkpoint as a folder that PEFT and vLLM load: adapter_config.json and adapter_model.safetensors. */
export async function exportAdapter(file: string, folder: string): Promise<void> {
  const { options, tensors } = await readAdapter(file);
  const projections = new Set(Array.from(tensors.keys(), (name) => /\.(\w+_proj)\.lora_/.exec(name)?.[1]));
  const written = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    r: options.rank,
    lora_alpha: options.alpha,
    lora_dropout: 0,
    bias: 'none',
    target_modules: [...projections],
    base_model_name_or_path: null,
    inference_mode: true,
  };
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'adapter_config.json'), `${JSON.stringify(written, null, 2)}\n`);
  await writeSafetensors(path.join(folder, 'adapter_model.safetensors'), { format: 'pt' }, tensors.values());
}

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
import { EngineError } from '../engine.ts';
import { writeSafetensors } from './safetensors.ts';
import type { Checkpoint } from './safetensors.ts';

/** @throws EngineError CheckpointInvalid, naming what Llama has no word for. */
export async function exportFolder({ config, tokenizer, tensors }: Checkpoint, folder: string): Promise<void> {
  const { vocabSize, dModel, layers, heads, kvHeads, dFF, activation, context, ropeTheta, normEpsilon, ...rest } =
    config;
  const { tiedEmbeddings, ...others } = rest;
  const strange = [...(activation === 'swiglu' ? [] : [`activation ${activation}`]), ...Object.keys(others)];
  if (strange.length > 0)
    throw new EngineError(
      'CheckpointInvalid',
      `a model with ${strange.join(', ')} has no form that transformers loads as Llama; give model.activation swiglu, or train it with the tfjs engine`,
    );
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

import { describe, expect, it } from 'vitest';
import { decoderConfig } from '../../engine/tfjs/pretrained/config.ts';

const read = (config: Record<string, unknown>) => decoderConfig('config.json', config).config;
/** What all four share; the rest is left to what an absent key stands for in transformers. */
const small = { vocab_size: 100, hidden_size: 64, num_attention_heads: 4, num_hidden_layers: 2, intermediate_size: 96 };
const shape = { vocabSize: 100, dModel: 64, layers: 2, heads: 4, dFF: 96, activation: 'swiglu', ropeTheta: 10_000 };
const common = { ...shape, normEpsilon: 1e-6, tiedEmbeddings: false };

describe('config.json of', () => {
  it('GPT-2 and GPT-J', () => {
    const gpt2 = read({
      model_type: 'gpt2',
      vocab_size: 100,
      n_embd: 64,
      n_layer: 2,
      n_head: 4,
      n_positions: 32,
      n_inner: null,
    });
    const rest = { ropeTheta: 10_000, normEpsilon: 1e-5, norm: 'layer', activation: 'gelu-tanh' };
    expect(gpt2).toEqual({
      ...{ vocabSize: 100, dModel: 64, layers: 2, heads: 4, dFF: 256, context: 32, ...rest, positions: 'learned' },
      ...{ tiedEmbeddings: true, biases: { qkv: true, o: true, mlp: true } },
    });
    const gptj = {
      model_type: 'gptj',
      vocab_size: 100,
      n_embd: 64,
      n_layer: 2,
      n_head: 4,
      n_positions: 32,
      rotary: true,
    };
    expect(read({ ...gptj, rotary_dim: 8, activation_function: 'gelu' })).toEqual({
      ...{ vocabSize: 100, dModel: 64, layers: 2, heads: 4, dFF: 256, context: 32, ...rest, activation: 'gelu' },
      ...{ rotaryWidth: 8, rotaryPairs: 'neighbours', parallel: true, tiedEmbeddings: false },
      biases: { mlp: true, head: true },
    });
    expect(read({ ...gptj, rotary_dim: 16 }).rotaryWidth).toBeUndefined();
  });

  it('Llama with biases, and with what transformers 5 writes', () => {
    const rope = { rope_parameters: { rope_theta: 500, rope_type: 'default' }, dtype: 'float32' };
    expect(read({ model_type: 'llama', ...small, ...rope, attention_bias: true, mlp_bias: true })).toEqual({
      ...{ ...common, context: 2048, ropeTheta: 500, biases: { qkv: true, o: true, mlp: true } },
    });
  });

  it('Mistral, with a window no shorter than the context', () => {
    const mistral = { model_type: 'mistral', ...small, num_key_value_heads: 2, head_dim: 32 };
    const expected = { ...common, kvHeads: 2, headWidth: 32 };
    expect(read({ ...mistral, sliding_window: null, max_position_embeddings: 8192 })).toEqual({
      ...expected,
      context: 8192,
    });
    expect(read({ ...mistral, max_position_embeddings: 4096 })).toEqual({ ...expected, context: 4096 });
    // Absent, the window is 4096.
    expect(() => read({ ...mistral, max_position_embeddings: 8192 })).toThrow('at least the context of 8192');
  });

  it('Qwen2 and Qwen3', () => {
    const qwen = {
      ...small,
      num_key_value_heads: 2,
      tie_word_embeddings: true,
      sliding_window: 64,
      max_window_layers: 1,
    };
    const expected = { ...common, kvHeads: 2, context: 32_768, tiedEmbeddings: true };
    expect(read({ model_type: 'qwen2', ...qwen, use_sliding_window: false })).toEqual({
      ...expected,
      biases: { qkv: true },
    });
    const types = { layer_types: ['full_attention', 'full_attention'] };
    expect(read({ model_type: 'qwen3', ...qwen, ...types, head_dim: 32 })).toEqual({
      ...expected,
      headWidth: 32,
      qkNorm: true,
    });
    expect(read({ model_type: 'qwen3', ...qwen }).headWidth).toBe(128);
    expect(() => read({ model_type: 'qwen2', ...qwen, use_sliding_window: true })).toThrow(
      'has use_sliding_window = true',
    );
    expect(() => read({ model_type: 'qwen3', ...qwen, layer_types: ['sliding_attention'] })).toThrow(
      'has layer_types = ',
    );
  });
});

import { describe, expect, it } from 'vitest';
import { declaredEngines } from '../../schemas/engine-settings.ts';
import type { EngineSettings } from '../../schemas/engine-settings.ts';

const own: Record<string, EngineSettings> = { tfjs: { kind: 'tfjs', threads: 2, lanes: 2, hungAfterMs: 60_000 } };
const declared = (value: unknown) =>
  declaredEngines(own, 'STARTRAIL_ENGINES', typeof value === 'string' ? value : JSON.stringify(value));
const vllm = { kind: 'openai', baseUrl: 'http://gpu-1:8000/v1' };

describe('engines declared in a variable', () => {
  it('stand beside those of the machine, with defaults filled in', () => {
    expect(declaredEngines(own, 'STARTRAIL_ENGINES', undefined)).toBe(own);
    const engines = declared({ vllm, cluster: { kind: 'split', sample: 'vllm', train: 'tfjs' } });
    expect(Object.keys(engines)).toEqual(['tfjs', 'vllm', 'cluster']);
    expect(engines.vllm).toMatchObject({ concurrency: 8, timeoutMs: 120_000, tries: 5, chat: false });
  });

  it.each<[string, unknown, string]>([
    ['no JSON', '{"vllm":', 'it is no JSON'],
    ['another kind', { vllm: { ...vllm, kind: 'magic' } }, 'vllm.kind'],
    ['an unknown field', { vllm: { ...vllm, apiKey: 'x' } }, 'apiKey'],
    ['another protocol', { vllm: { ...vllm, baseUrl: 'file:///v1' } }, 'vllm.baseUrl'],
    ['a user in the URL', { vllm: { ...vllm, baseUrl: 'http://me:pass@gpu-1/v1' } }, 'apiKeyVariable'],
    ['a key for the name of a variable', { vllm: { ...vllm, apiKeyVariable: 'sk-abc' } }, 'never the key itself'],
    ['a name no run could write', { 'V LLM': vllm }, 'small letters'],
    [
      'half an engine that is not there',
      { pair: { kind: 'split', sample: 'none', train: 'tfjs' } },
      'pair.sample: there is no engine none',
    ],
    [
      'a half that is a pair',
      { a: { kind: 'split', sample: 'b', train: 'tfjs' }, b: { kind: 'split', sample: 'tfjs', train: 'tfjs' } },
      'a.sample: b is a split engine itself',
    ],
  ])('%s is InvalidInput', (_, value, sentence) => {
    const error = (() => {
      try {
        return declared(value);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: 'InvalidInput', message: expect.stringContaining(sentence) as string });
    expect((error as Error).message).toMatch(/^STARTRAIL_ENGINES: .*; expected e\.g\. \{/);
    expect((error as Error).message).not.toMatch(/pass@|sk-abc/);
  });
});

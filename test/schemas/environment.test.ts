import { describe, expect, it } from 'vitest';
import { withoutSecrets } from '../../schemas/environment.ts';

describe('the environment of a process that runs models or judges their text', () => {
  it('holds nothing that opens the server, the codec, the bucket or a webhook', () => {
    const secrets = {
      TEMPORAL_API_KEY: 'a',
      TEMPORAL_TLS_CLIENT_KEY_PATH: 'b',
      STARTRAIL_CODEC_KEYS: 'c',
      STARTRAIL_CODEC_KEYS_FILE: 'd',
      STARTRAIL_CODEC_TOKEN: 'e',
      STARTRAIL_NOTIFY: 'f',
      AWS_ACCESS_KEY_ID: 'g',
      AWS_SECRET_ACCESS_KEY: 'h',
      AWS_SESSION_TOKEN: 'i',
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'j',
      STARTRAIL_ENGINES: '{"vllm":{"kind":"openai","apiKeyVariable" : "VLLM_KEY"}}',
      VLLM_KEY: 'k',
    };
    const plain = { PATH: '/bin', AWS_REGION: 'eu-west-1', STARTRAIL_ENGINE_GRAPH: 'off', CUDA_VISIBLE_DEVICES: '0' };
    expect(withoutSecrets({ ...secrets, ...plain })).toEqual(plain);
  });
});

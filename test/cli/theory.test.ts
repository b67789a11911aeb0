import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { contextOf } from '../../cli/parts.ts';
import { main } from '../../cli/program.ts';
import type { Foretold } from '../../theory/foretold.ts';

const home = mkdtempSync(path.join(tmpdir(), 'theory-'));
async function theory(...words: string[]) {
  let out = '';
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((out += String(text)), true)),
    vi.spyOn(process.stderr, 'write').mockImplementation(() => true),
  ];
  const code = await main(['theory', ...words, '--json'], (terminal) => ({ ...contextOf(terminal), home }));
  for (const spy of spies) spy.mockRestore();
  return {
    code,
    json: JSON.parse(out) as { rows: Foretold[]; markdown: string; figure: string; error?: { message: string } },
  };
}
const small = ['--states', '8', '--iterations', '3', '--samples', '512', '--seeds', '6'];

describe('theory', () => {
  it('holds the recursion against the loop, and writes table and figure', async () => {
    const { code, json } = await theory(...small, '--deltas', '0.3,0.3');
    expect(code).toBe(0);
    expect(json.rows.map(({ iteration }) => iteration)).toEqual([0, 1, 2, 3]);
    const [base, first, , last] = json.rows;
    expect(base).toMatchObject({ off: null, interval: null, within: null });
    expect(first?.interval?.[0]).toBeLessThan(first?.off ?? 0);
    expect(last?.measured.accuracy).toBeGreaterThan(0.9);
    expect(readFileSync(json.markdown, 'utf8')).toContain('| 3 |');
    const figure = readFileSync(json.figure, 'utf8');
    expect(figure).toContain('<svg');
    expect(figure).toContain('sound, measured');
    expect((await theory(...small, '--deltas', '0.3,0.3')).json.rows).toEqual(json.rows);
  });

  it('tells a loop that the recursion does not describe: few samples, two steps without a signal', async () => {
    const { json } = await theory(
      '--states',
      '8',
      '--deltas',
      '0.2,0,0',
      '--iterations',
      '6',
      '--samples',
      '32',
      '--seeds',
      '10',
    );
    expect(json.rows.slice(1).some(({ within }) => within === false)).toBe(true);
  });

  it('refuses what is no chain', async () => {
    expect(await theory('--states', '8', '--deltas', '2')).toMatchObject({
      code: 2,
      json: { error: { code: 'InvalidInput' } },
    });
    expect((await theory('--deltas', 'x')).code).toBe(2);
  });
});

/** Tools inside generation: what is put into a text, that no other row notices, and that none of it is learnt. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { SampleRow } from '../../engine/engine.ts';
import { assemble, readRows } from '../../engine/tfjs/batches.ts';
import { openForm } from '../../engine/tfjs/prompt-form.ts';
import { Sampler } from '../../engine/tfjs/sampler.ts';
import { ToolCalls } from '../../engine/tfjs/tool-calls.ts';
import type { Calling } from '../../engine/tfjs/tool-calls.ts';
import type { PiecesSpec } from '../../schemas/checkpoint.ts';
import { calculate } from '../../tools/calculator.ts';
import { ToolUnavailable } from '../../tools/program.ts';
import { randomModel, seedOf } from './models.ts';

/** Twenty pieces of which half open or close a call, so that a random model calls often. */
const spec: PiecesSpec = {
  kind: 'pieces',
  pieces: [
    '<pad>',
    '<end>',
    '<<',
    '=',
    '1',
    '2',
    '*',
    '>>',
    '3',
    '4',
    '5',
    '6',
    '7',
    '8',
    '9',
    '0',
    '<<',
    '=',
    '<<',
    '=',
  ],
  pad: 0,
  end: 1,
};
const form = openForm(spec);
const tools = { use: ['calculator' as const], atMost: 3 };
const folder = mkdtempSync(path.join(tmpdir(), 'startrail-calls-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a model that calls', () => {
  const sampler = new Sampler({ ...randomModel({}, 21, true), tokenizer: spec });
  afterAll(() => sampler.close());
  const sampling = { temperature: 1, topP: 1 };
  const rows: SampleRow[] = Array.from({ length: 60 }, (_, n) => ({
    prompt: `${n + 11}*${(n * 7) % 100}=`.slice(0, 3 + (n % 4)),
    seed: seedOf(n + 300),
    maxNewTokens: 12 + (n % 40),
  }));

  it('finds behind each call what the calculator says, marked as such, at most three times', async () => {
    const texts = await sampler.sample({ rows, sampling, tools });
    const called = texts.filter(({ calls }) => calls);
    expect(called.length).toBeGreaterThan(10);
    expect(Math.max(...called.map(({ calls }) => calls!.length))).toBeLessThanOrEqual(3);
    for (const { tokenIds, calls, text } of called) {
      expect(form.decode(tokenIds)).toBe(text);
      for (const { from, to } of calls!) {
        const asked = /<<([^=]*)=$/
          .exec(form.decode(tokenIds.slice(0, from)))![1]!
          .split('<<')
          .at(-1)!;
        // Characters that the tokenizer has not are left out; the end of the text may cut it short.
        const whole = `${calculate(asked).replace(/[^0-9*=]/g, '')}>>`;
        const said = form.decode(tokenIds.slice(from, to));
        expect(to === tokenIds.length ? whole.slice(0, said.length) : whole, asked).toBe(said);
      }
    }
  });

  it('writes the same alone and in any company, with other calls beside it', async () => {
    const together = await sampler.sample({ rows, sampling, tools });
    for (const n of [0, 7, 23, 41, 59])
      expect((await sampler.sample({ rows: [rows[n]!], sampling, tools }))[0]).toEqual(together[n]);
    const reversed = (await sampler.sample({ rows: [...rows].reverse(), sampling, tools })).reverse();
    expect(reversed).toEqual(together);
  });

  it('without tools writes on by itself', async () => {
    for (const one of await sampler.sample({ rows, sampling })) expect(one.calls).toBeUndefined();
  });
});

const job = (text: string, seed = 1): Calling => ({
  row: { seed: seedOf(seed) },
  sampled: form.encode(text),
  forced: [],
  calls: [],
});

describe('what a tool says', () => {
  it('is put behind the call, with its span', async () => {
    const one = job('12<<3*4=');
    await new ToolCalls(form, tools, []).after(one);
    expect(form.decode(one.forced)).toBe('12>>');
    expect(one.calls).toEqual([{ tool: 'calculator', from: one.sampled.length, to: one.sampled.length + 3 }]);
  });

  it('is of drawn digits for the control: as many, the same for the same row, others for another', async () => {
    const said = async (seed: number) => {
      const one = job('<<3214*4121=', seed);
      await new ToolCalls(form, { ...tools, output: 'random' }, []).after(one);
      return form.decode(one.forced);
    };
    expect(await said(1)).toMatch(/^[1-9]\d{7}>>$/);
    expect(await said(1)).toBe(await said(1));
    expect(await said(2)).not.toBe(await said(1));
    expect(await said(1)).not.toBe('13244894>>');
  });

  it('never ends the text by holding a stop', async () => {
    const one = job('<<3*4=');
    await new ToolCalls(form, tools, ['12']).after(one);
    expect(form.decode(one.forced)).not.toContain('12');
  });

  it('is an error that is retried where the tool is out of order', async () => {
    const broken = { run: () => Promise.reject(new ToolUnavailable('gone')), close: () => undefined };
    await expect(new ToolCalls(form, tools, [], broken).after(job('<<3*4='))).rejects.toMatchObject({
      code: 'ToolUnavailable',
    });
  });
});

describe('training', () => {
  const batchOf = async (rows: object[]) => {
    const file = path.join(folder, 'rows.jsonl');
    writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'));
    const read = await readRows(file, form, randomModel().config);
    return assemble(read, 0);
  };
  const completionTokens = [...form.encode('<<3*4=12>>12'), 1];
  const calls = [{ tool: 'calculator', from: 5, to: 8 }];

  it('predicts all of a completion but what a tool said', async () => {
    const whole = await batchOf([{ prompt: '3*4=', completion: '', completionTokens }]);
    const masked = await batchOf([{ prompt: '3*4=', completion: '', completionTokens, calls }]);
    expect(form.decode([...whole.targets])).toBe('<<3*4=12>>12');
    expect(form.decode([...masked.targets])).toBe('<<3*4=12');
    expect(masked.targets.at(-1)).toBe(1);
    // It is read all the same.
    expect(masked.ids).toEqual(whole.ids);
  });

  it('does the same with the calls in a text, tokenised as they would have been sampled', async () => {
    const sampled = await batchOf([{ prompt: '3*4=', completion: '', completionTokens, calls }]);
    const text = await batchOf([{ prompt: '3*4=', completion: '<<3*4=12>>12', tools: ['calculator'] }]);
    expect(text).toEqual(sampled);
  });

  it('takes what a tool said as no target: another last token of its words changes what is read alone', async () => {
    const other = [...completionTokens];
    other[6] = form.encode('9')[0]!;
    const [one, two] = await Promise.all(
      [completionTokens, other].map((tokens, n) =>
        Promise.resolve(n).then(() => ({ prompt: '3*4=', completion: '', completionTokens: tokens, calls })),
      ),
    );
    const first = await batchOf([one!]);
    const second = await batchOf([two!]);
    expect(second.targets).toEqual(first.targets);
    expect(second.positions).toEqual(first.positions);
  });
});

/**
 * Prompts of chats against transformers' apply_chat_template: the template of SmolLM2-135M-Instruct, from its GGUF file by an exported
 * folder, text and token ids; and those of chat-templates.ts, text.
 *
 *   npx vitest run --mode slow test/parity/chat
 *
 * chat.py asks in the Python environment of the bench; skips where the wheel, Python or the network are missing.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import { python } from '../../bench/python.ts';
import { exportFolder } from '../../engine/tfjs/export.ts';
import { openChatTemplate, type Message } from '../../engine/tfjs/pretrained/chat-template.ts';
import { openGguf } from '../../engine/tfjs/pretrained/gguf.ts';
import { tokenizerOf } from '../../engine/tfjs/pretrained/gguf-model.ts';
import { readTokenizer } from '../../engine/tfjs/pretrained/tokenizer-files.ts';
import { openForm } from '../../engine/tfjs/prompt-form.ts';
import type { HuggingFaceSpec } from '../../schemas/checkpoint.ts';
import { sentence } from '../../scripts/setup/failure.mjs';
import { provideSmollm2 } from '../../scripts/setup/smollm2.mjs';
import { CONVERSATIONS, TEMPLATES, TOKENS } from '../engine/chat-templates.ts';
import { randomModel } from '../engine/models.ts';

const reason = (error: unknown) => ({ reason: sentence(error) });
const interpreter = await python(() => {}, ['jinja2']).catch(reason);
const source = await provideSmollm2().catch(reason);
const missing = [source, interpreter].find((part) => typeof part !== 'string');
const folder = mkdtempSync(path.join(os.tmpdir(), 'chat-parity-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Answer {
  text?: string;
  ids?: number[];
  refused?: string;
}
async function peer(rows: readonly object[]): Promise<Answer[]> {
  const child = spawn(interpreter as string, [path.join(import.meta.dirname, 'chat.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const lines = (await text(child.stdout)).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Answer);
}
const ASKED = Object.entries(CONVERSATIONS).flatMap(([name, messages]) =>
  [true, false].map((asks) => ({ name, messages, asks })),
);
function own(spec: HuggingFaceSpec, messages: readonly Message[], asks: boolean): Answer {
  try {
    return { text: openChatTemplate(spec).render(messages, asks) };
  } catch (error) {
    return { refused: (error as Error).message };
  }
}

describe.skipIf(missing !== undefined)('as transformers renders it', () => {
  it('templates with loops, conditions, refusals, dates and tools that are not there', async () => {
    const rows = Object.entries(TEMPLATES).flatMap(([id, template]) =>
      ASKED.map(({ name, messages, asks }) => ({ id, name, template, tokens: TOKENS, messages, asks })),
    );
    const theirs = await peer(rows);
    let refused = 0;
    for (const [n, { id, name, template, messages, asks }] of rows.entries()) {
      const spec = { kind: 'huggingface', tokenizer: '', size: 3, pad: 0, end: 1 } as const;
      const ours = own({ ...spec, chatTemplate: template, chatTokens: TOKENS }, messages, asks);
      const place = `${id}, ${name}, ${asks ? 'asking' : 'not asking'}`;
      expect(ours.text, place).toBe(theirs[n]!.text);
      if (theirs[n]!.refused === undefined) continue;
      refused++;
      expect(ours.refused, place).toContain(theirs[n]!.refused);
    }
    console.log(`${rows.length} renderings, ${refused} of them refusals`);
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(rows.length / 4);
  });

  it("SmolLM2's, and its token ids, from GGUF through an exported folder", async () => {
    const { metadata, close } = openGguf(source as string);
    const spec = tokenizerOf('model', metadata);
    await close();
    const out = path.join(folder, 'smollm2');
    await exportFolder(
      {
        ...randomModel({ vocabSize: spec.size, dModel: 8, heads: 1, layers: 1, activation: 'swiglu' }),
        tokenizer: spec,
      },
      out,
    );
    const theirs = await peer(ASKED.map(({ messages, asks }) => ({ folder: out, messages, asks })));
    const back = await readTokenizer(out, {});
    expect(back.chatTemplate).toBe(spec.chatTemplate);
    const form = openForm(back, true);
    for (const [n, { name, messages, asks }] of ASKED.entries()) {
      expect(own(back, messages, asks).text, name).toBe(theirs[n]!.text);
      expect(form.encode(theirs[n]!.text!), name).toEqual(theirs[n]!.ids);
      if (asks && messages.length === 1)
        expect(form.ask('', [messages[0]!.content])).toEqual({ before: [], prompts: [theirs[n]!.ids] });
    }
    expect(form.decode([form.end])).toBe('');
    const ends = theirs[ASKED.findIndex(({ name, asks }) => name === 'answered' && !asks)]!.ids!;
    // <|im_end|> and the line break behind it.
    expect(ends.at(-2)).toBe(form.end);
  });
});

/** Chat templates and the prompt forms made of them. What transformers makes of the same templates: test/parity/chat.slow.test.ts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openChatTemplate } from '../../engine/tfjs/pretrained/chat-template.ts';
import { readTokenizer } from '../../engine/tfjs/pretrained/tokenizer-files.ts';
import { openForm } from '../../engine/tfjs/prompt-form.ts';
import { readRows } from '../../engine/tfjs/batches.ts';
import { Sampler } from '../../engine/tfjs/sampler.ts';
import type { HuggingFaceSpec } from '../../schemas/checkpoint.ts';
import { CONVERSATIONS, TEMPLATES, TOKENS } from './chat-templates.ts';
import { randomModel, tokenizer as pieces } from './models.ts';
import { tokenizerJson } from './pretrained-files.ts';

const root = mkdtempSync(path.join(tmpdir(), 'chat-'));
afterAll(() => rmSync(root, { recursive: true }));

const [BEGIN, END, IM_END] = [258, 259, 260];
const CHATML =
  "{% for message in messages %}{{'<|begin|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|begin|>assistant\n' }}{% endif %}";
const specOf = (chatTemplate: string, more: Partial<HuggingFaceSpec> = {}): HuggingFaceSpec => ({
  kind: 'huggingface',
  tokenizer: JSON.stringify(tokenizerJson),
  ...{ size: 261, pad: END, end: END, begin: BEGIN, chatTemplate, ...more },
});
const render = (template: keyof typeof TEMPLATES, conversation: string, asks = true) =>
  openChatTemplate(specOf(TEMPLATES[template], { chatTokens: TOKENS })).render(CONVERSATIONS[conversation]!, asks);

describe('a chat template', () => {
  it('knows loops, conditions and the tokens of the tokenizer', () => {
    expect(render('turns', 'question')).toBe('<s>[system]\nYou are terse.[user 1/1]\n2+2=</s>[assistant]\n');
    expect(render('turns', 'answered', false)).toBe('<s>[system 1/3]\nCount.[user 2/3]\n1[assistant 3/3]\ntwo</s>');
  });

  it('is told a fixed date and of no tools, whatever the clock says', () => {
    expect(render('dated', 'question')).toBe(
      '<s>Today: 26 Jul 2024, a Friday (day 208), 00:00\n<|USER|>{"role": "user", "content": "2+2="}<|end|>\n<|ASSISTANT|>',
    );
  });

  it('may refuse a conversation: one sentence with its own words', () => {
    expect(render('strict', 'system')).toBe('<s>[INST] Be kind.\n\nWho are you? [/INST]');
    expect(() => render('strict', 'twice in a row')).toThrow(
      /^CheckpointInvalid: the model's chat template fails on a user, user conversation \(.*Roles must alternate.*\); correct/,
    );
  });

  it('leaves out the thoughts of earlier turns where it says so', () => {
    expect(render('thoughts', 'turns')).toBe(
      ['user\n1', 'assistant\nuno', 'user\n2', 'assistant\n dos ', 'user\n3']
        .map((turn) => `<|im_start|>${turn}<|im_end|>\n`)
        .join('') + '<|im_start|>assistant\n',
    );
  });

  it.each([
    [
      'none',
      specOf('', { chatTemplate: undefined }),
      /^ChatTemplateMissing: the model has no chat template, .*chat_template\.jinja/,
    ],
    ['a tokenizer of our own', pieces, /^ChatTemplateMissing: /],
    ['no Jinja', specOf('{% for x %}'), /^CheckpointInvalid: the model's chat template is not read \(/],
    ['an unknown word for a date', specOf("{{ strftime_now('%Z') }}"), /strftime_now with %Z is not known/],
  ])('%s is refused in one sentence', (_, spec, message) => {
    expect(() => openForm(spec, true)).toThrow(message);
    expect(() => openForm(spec)).not.toThrow();
  });
});

describe('the chat form', () => {
  const spec = specOf(CHATML);
  const form = openForm(spec, true);
  const text = (ids: readonly number[]) => openForm({ ...spec }).decode(ids);
  const plain = openForm(spec);

  it('asks in the user turn, with nothing before it but what the template says', () => {
    const { before, prompts } = form.ask('', ['the hen', 'x']);
    expect(before).toEqual([]);
    expect(prompts[0]).toEqual([
      ...[BEGIN, ...plain.encode('user\nthe hen'), IM_END, ...plain.encode('\n')],
      ...[BEGIN, ...plain.encode('assistant\n')],
    ]);
    // Alone or in company: the same ids.
    expect(form.ask('', ['x']).prompts[0]).toEqual(prompts[1]);
    expect(plain.ask('', ['x']).before).toEqual([BEGIN]);
  });

  it('has the examples inside the turn, before every question, once', () => {
    const { before, prompts } = form.ask('Q: a\nA: b\n\n', ['Q: c\nA:', 'Q: d\nA:']);
    expect([...before, ...prompts[1]!]).toEqual(form.ask('', ['Q: a\nA: b\n\nQ: d\nA:']).prompts[0]);
    expect(text(before)).toBe('user\nQ: a\nA: b\n\n');
  });

  it('does without shared ids where the template changes the examples', () => {
    const upper = openForm(specOf(CHATML.replace("message['content']", "(message['content'] | upper)")), true);
    const { before, prompts } = upper.ask('a ', ['b']);
    expect(before).toEqual([]);
    expect(text(prompts[0]!)).toBe('user\nA B\nassistant\n');
  });

  it('ends an answer as the template ends its turn, and an answer of another form too', () => {
    expect(form.end).toBe(IM_END);
    expect(form.completion(' no')).toEqual([...plain.encode('no'), IM_END]);
    expect(form.sampled([1, 2, END])).toEqual([1, 2, IM_END]);
    expect(form.sampled([1, 2])).toEqual([1, 2]);
    expect([IM_END, END, 65].map((id) => form.isEnd(id))).toEqual([true, true, false]);
    expect(plain.isEnd(IM_END)).toBe(false);
    // No special token ends the turn: the model's own end does.
    expect(openForm(specOf(CHATML.replace('<|im_end|>', ' ')), true).end).toBe(END);
  });

  it('learns the answer alone', async () => {
    const file = path.join(root, 'rows.jsonl');
    const rows = [
      { prompt: 'a', completion: ' b' },
      { prompt: 'a', completion: 'b', completionTokens: [98, END] },
    ];
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const { config } = randomModel({ vocabSize: 264 });
    for (const { tokens, promptLength } of await readRows(file, form, config)) {
      expect([...tokens.subarray(0, promptLength)]).toEqual(form.ask('', ['a']).prompts[0]);
      expect([...tokens.subarray(promptLength)]).toEqual([98, IM_END]);
    }
  });

  it('samples what stands behind the rendered text, and ends with the turn', async () => {
    const model = { ...randomModel({ vocabSize: 264 }, 3), tokenizer: spec };
    const sampler = new Sampler(model);
    const rendered = openChatTemplate(spec).render([{ role: 'user', content: 'Hm' }], true);
    const row = { seed: '0'.repeat(32), maxNewTokens: 12 };
    const sampling = { temperature: 0, topP: 1 };
    const [chatted] = await sampler.sample({ rows: [{ ...row, prompt: 'Hm' }], chat: true, sampling });
    sampler.close();
    // The template begins with the token that the plain form puts there.
    const same = new Sampler(model);
    const [written] = await same.sample({ rows: [{ ...row, prompt: rendered.slice('<|begin|>'.length) }], sampling });
    same.close();
    const end = written!.tokenIds.indexOf(IM_END);
    expect(chatted!.tokenIds).toEqual(end < 0 ? written!.tokenIds : written!.tokenIds.slice(0, end + 1));
    expect(chatted!.tokenIds.length).toBeGreaterThan(1);
  });
});

it('reads from a folder the tokens that its template names, and no others', async () => {
  const folder = path.join(root, 'folder');
  mkdirSync(folder);
  const words = {
    bos_token: { content: '<|begin|>' },
    eos_token: '<|end|>',
    chat_template: '{{ bos_token }}{{ pad_token }}',
  };
  writeFileSync(path.join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson));
  writeFileSync(path.join(folder, 'tokenizer_config.json'), JSON.stringify(words));
  const spec = await readTokenizer(folder, {});
  expect(spec.chatTokens).toEqual({ bos_token: '<|begin|>' });
  // A file of its own goes over what the tokenizer's says.
  writeFileSync(path.join(folder, 'chat_template.jinja'), '{{ eos_token }}');
  expect(await readTokenizer(folder, {})).toMatchObject({
    chatTemplate: '{{ eos_token }}',
    chatTokens: { eos_token: '<|end|>' },
  });
});

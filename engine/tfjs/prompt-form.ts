/**
 * How a row becomes ids: as the text it is, or as the user's turn of a chat that the model answers.
 *
 *   const form = openForm(spec, true);
 *   form.ask('', ['2+2='])       // { before: [], prompts: [ids of '<|im_start|>user\n2+2=<|im_end|>\n<|im_start|>assistant\n'] }
 *   form.completion('4')         // [id of '4', id of '<|im_end|>']
 *
 * A chat's prompt is what transformers' apply_chat_template gives with add_generation_prompt, and nothing is put before it: the
 * template says itself what begins a text. Its completion ends as the template ends the assistant's turn, where that is a special
 * token, else with the model's `end`. Pure: same spec and texts ⇒ same ids; a row's ids depend on that row and the prefix alone.
 */
import type { TokenizerSpec } from '../../schemas/checkpoint.ts';
import { EngineError } from '../engine.ts';
import { openChatTemplate } from './pretrained/chat-template.ts';
import { openTokenizer, type Tokenizer } from './tokenizer.ts';

export interface PromptForm extends Pick<Tokenizer, 'pad' | 'end' | 'encode' | 'decode' | 'isEnd'> {
  /** @returns ids that stand before every row, which engines compute once, and those of each row behind them. */
  ask(prefix: string, texts: readonly string[]): { before: number[]; prompts: number[][] };
  /** The ids of a completion that comes as text, its end included. */
  completion(text: string): number[];
  /** A completion that was sampled, in this form or another, as it ends in this one. */
  sampled(ids: readonly number[]): number[];
}

/** @throws EngineError ChatTemplateMissing, CheckpointInvalid; its methods TextNotInVocabulary too. */
export function openForm(spec: TokenizerSpec, chat = false): PromptForm {
  const tokenizer = openTokenizer(spec);
  return chat ? chatForm(spec, tokenizer) : textForm(tokenizer);
}

function textForm(tokenizer: Tokenizer): PromptForm {
  const { pad, end, begin } = tokenizer;
  const encode = (text: string) => tokenizer.encode(text);
  return {
    ...{ pad, end, encode },
    decode: (ids) => tokenizer.decode(ids),
    isEnd: (id) => tokenizer.isEnd(id),
    ask: (prefix, texts) => ({ before: [...begin, ...encode(prefix)], prompts: texts.map(encode) }),
    completion: (text) => [...encode(text), end],
    sampled: (ids) => [...ids],
  };
}

/** Stands in for a text where only what is around it matters. */
const PROBE = 'probe';

function chatForm(spec: TokenizerSpec, tokenizer: Tokenizer): PromptForm {
  const template = openChatTemplate(spec);
  const encode = (text: string) => tokenizer.encode(text);
  const asked = (content: string) => template.render([{ role: 'user', content }], true);
  const end = endOfTurn();
  const isEnd = (id: number) => id === end || tokenizer.isEnd(id);

  function endOfTurn(): number {
    const whole = template.render(
      [
        { role: 'user', content: '?' },
        { role: 'assistant', content: PROBE },
      ],
      false,
    );
    const at = whole.lastIndexOf(PROBE);
    const [first] = at < 0 ? [] : encode(whole.slice(at + PROBE.length));
    return first !== undefined && tokenizer.decode([first]) === '' ? first : tokenizer.end;
  }

  /** What the template puts before a text, with the prefix; undefined where it does not leave the prefix as it is. */
  function headOf(prefix: string): string | undefined {
    if (prefix === '') return undefined;
    const probe = asked(prefix + PROBE);
    const at = probe.indexOf(prefix + PROBE);
    return at < 0 ? undefined : probe.slice(0, at + prefix.length);
  }

  return {
    ...{ pad: tokenizer.pad, end, isEnd, encode },
    decode: (ids) => tokenizer.decode(ids.filter((id) => id !== end)),
    ask(prefix, texts) {
      const head = headOf(prefix);
      if (head === undefined) return { before: [], prompts: texts.map((text) => encode(asked(prefix + text))) };
      const prompts = texts.map((text) => {
        const whole = asked(prefix + text);
        if (whole.startsWith(head)) return encode(whole.slice(head.length));
        throw new EngineError(
          'CheckpointInvalid',
          "the model's chat template puts other words before other questions, so no examples can stand before all of them; ask with the form chat",
        );
      });
      return { before: encode(head), prompts };
    },
    // The space before it belongs to the text that a base model goes on with.
    completion: (text) => [...encode(text.trimStart()), end],
    sampled: (ids) => (ids.length > 0 && isEnd(ids.at(-1)!) ? [...ids.slice(0, -1), end] : [...ids]),
  };
}

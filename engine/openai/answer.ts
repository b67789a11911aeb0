/** What a server is asked for a row, and what its answer means. Pure. */
import { z } from 'zod';
import type { OpenAiSettings } from '../../schemas/engine-settings.ts';
import type { Completion, SampleRequest, SampleRow } from '../engine.ts';
import { ServerTrouble } from './client.ts';

export const pathOf = ({ chat }: Pick<OpenAiSettings, 'chat'>) => (chat ? 'chat/completions' : 'completions');

/** 31 bits of the row's seed: servers take a positive int32, and llama.cpp means "random" by the largest uint32. */
export const serverSeed = (seed: string): number => Number.parseInt(seed.slice(-8), 16) & 0x7fffffff;

/** A server takes no more stop texts; the others are cut off here. */
const MOST_STOPS = 4;

export const promptOf = (chat: boolean, prompt: string): object =>
  chat ? { messages: [{ role: 'user', content: prompt }] } : { prompt };

export function bodyOf(
  chat: boolean,
  model: string,
  { prefix = '', stop = [], sampling: { temperature, topP } }: Omit<SampleRequest, 'model' | 'rows'>,
  row: SampleRow,
): object {
  return {
    model,
    ...promptOf(chat, prefix + row.prompt),
    max_tokens: row.maxNewTokens,
    temperature,
    // Greedy has no use for them, and some servers refuse them then.
    ...(temperature > 0 && { top_p: topP, seed: serverSeed(row.seed) }),
    ...(stop.length > 0 && { stop: stop.slice(0, MOST_STOPS) }),
  };
}

const Choice = z.object({
  text: z.string().optional(),
  message: z.object({ content: z.string().nullish() }).optional(),
  finish_reason: z.string().nullish(),
});
const Answer = z.object({
  choices: z.array(Choice),
  usage: z.object({ completion_tokens: z.number().int().nonnegative().optional() }).nullish(),
});

/** Throws ServerTrouble where the answer is none: nothing that is missing may pass for a wrong answer. */
export function completionOf(answer: unknown, chat: boolean, stop: readonly string[] = []): Completion {
  const doubtful = (fault: string) => new ServerTrouble('doubtful', fault);
  const { data, error } = Answer.safeParse(answer);
  if (!data) {
    const [issue] = error.issues;
    throw doubtful(`its answer is no completion (${issue?.path.join('.') || '(root)'}: ${issue?.message})`);
  }
  const [choice] = data.choices;
  if (!choice) throw doubtful('its answer has no choices');
  const text = chat ? choice.message?.content : choice.text;
  if (typeof text !== 'string') throw doubtful('its answer has no text');
  const reason = choice.finish_reason;
  if (reason !== 'stop' && reason !== 'length')
    throw doubtful(`it ended the completion for ${reason ? `the reason "${reason}"` : 'no reason'}`);
  const tokens = data.usage?.completion_tokens;
  // Some servers leave the stop text, or a part of a token behind it, in the answer.
  const ends = stop.map((one) => text.indexOf(one)).filter((at) => at >= 0);
  return {
    tokenIds: [],
    ...(tokens !== undefined && { tokens }),
    text: ends.length > 0 ? text.slice(0, Math.min(...ends)) : text,
    finish: ends.length > 0 ? 'stop' : reason,
  };
}

/**
 * The canary: what a server says to one fixed prompt, greedily, with its log-probabilities. Weights that were changed say
 * something else, if only in the fourth digit; the same weights say the same again. docs/decisions/0018-deploy-and-canary.md.
 *
 *   const canary = canaryIn(await client.post('completions', canaryBody('base', false)), false);
 *   distance(canary, before)                             // 0.0003: the largest difference of a log-probability
 */
import { z } from 'zod';
import { promptOf } from './answer.ts';

export const Canary = z.object({ tokens: z.array(z.string()).min(1), logProbabilities: z.array(z.number()).min(1) });
export type Canary = z.infer<typeof Canary>;

/** Nothing that a model is sure how to go on with: where it is sure, a log-probability is 0 whatever the weights. */
const PROMPT = 'A canary counted 17 birds, 25 mice and';
const TOKENS = 16;

export const canaryBody = (model: string, chat: boolean): object => ({
  model,
  ...promptOf(chat, PROMPT),
  max_tokens: TOKENS,
  temperature: 0,
  ...(chat ? { logprobs: true, top_logprobs: 1 } : { logprobs: 1 }),
});

const Completed = z.object({ tokens: z.array(z.string()), token_logprobs: z.array(z.number()) });
const Chatted = z.object({ content: z.array(z.object({ token: z.string(), logprob: z.number() })) });
const Answer = z.object({ choices: z.array(z.object({ logprobs: z.unknown() })).min(1) });

/** Undefined where the answer holds no log-probabilities. */
export function canaryIn(answer: unknown, chat: boolean): Canary | undefined {
  const found = Answer.safeParse(answer).data?.choices[0]?.logprobs;
  const content = chat ? Chatted.safeParse(found).data?.content : undefined;
  const completed = chat ? undefined : Completed.safeParse(found).data;
  return Canary.safeParse({
    tokens: content?.map(({ token }) => token) ?? completed?.tokens,
    logProbabilities: content?.map(({ logprob }) => logprob) ?? completed?.token_logprobs,
  }).data;
}

/**
 * The largest difference up to and with the first token that is another: behind it they go on from different texts. There each
 * is the likeliest of its model, so that a tie that rounding broke is as near as it should be.
 */
export function distance(a: Canary, b: Canary): number {
  const count = Math.min(a.tokens.length, b.tokens.length);
  const parting = a.tokens.findIndex((token, at) => token !== b.tokens[at]);
  if (parting < 0 ? a.tokens.length !== b.tokens.length : parting >= count) return Infinity;
  const upTo = parting < 0 ? count : parting + 1;
  const differences = a.logProbabilities.slice(0, upTo).map((value, at) => Math.abs(value - b.logProbabilities[at]!));
  return Math.max(...differences);
}

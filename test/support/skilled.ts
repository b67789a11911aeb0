/** A scripted engine that adds right in a declared share of prompts, by the training that made the model. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Engine, TrainRequest } from '../../engine/engine.ts';
import { createScriptedEngine } from '../../engine/scripted.ts';
import addition, { additionProblem } from '../../tasks/addition.ts';

/** A number that is the same everywhere; not for secrets. */
export const hash = (text: string) => [...text].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) >>> 0, 7);

/** What is right behind an addition prompt. */
export const goldOf = (prompt: string): string => {
  const [, a = '0', b = '0'] = /^(\d+)\+(\d+)/.exec(prompt) ?? [];
  return addition.goldCompletion(additionProblem(Number(a), Number(b), a.length));
};

/** @param percentOf asked at each training: how many prompts of 100 its model will solve; may throw or wait in its place. */
export function skilledAdder(percentOf: (start: TrainRequest['start']['kind']) => number | Promise<number>): {
  engine: Engine;
  /** The data of each training, as JSONL. */
  trainedOn: string[];
} {
  const skill = new Map<string, number>();
  const trainedOn: string[] = [];
  const inner = createScriptedEngine({
    answer: (prompt, _row, model) => {
      const gold = goldOf(prompt);
      const right = hash(prompt) % 100 < (skill.get(model.digest) ?? 0);
      return right ? gold : gold.replace(/\d+$/, (sum) => String(Number(sum) + 1));
    },
  });
  const engine: Engine = {
    ...inner,
    async train(request, control) {
      const percent = await percentOf(request.start.kind);
      trainedOn.push(await readFile(request.dataPath, 'utf8'));
      const result = await inner.train(request, control);
      const bytes = await readFile(request.outputPath);
      skill.set(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, percent);
      return result;
    },
  };
  return { engine, trainedOn };
}

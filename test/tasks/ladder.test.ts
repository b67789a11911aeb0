/** What the generated tasks for small pretrained models hold besides the contract: sizes, examples, step checks. */
import { describe, expect, it } from 'vitest';
import { taskById } from '../../tasks/index.ts';
import { cutOff } from '../../verifiers/answer.ts';

describe.each(['three-sum', 'times-plus', 'gain-give', 'word-count', 'last-letters'])('%s', (id) => {
  const task = taskById(id)!;
  const parameters: unknown = task.parameters.parse({});

  it('holds out at least 500 identities for test and 200 for dev, or as many as are asked for', () => {
    expect(task.heldOut('test', parameters).length).toBeGreaterThanOrEqual(500);
    expect(task.heldOut('dev', parameters).length).toBeGreaterThanOrEqual(200);
    expect(task.heldOut('test', { seeds: 0, heldOut: 30 })).toHaveLength(30);
  });

  it('shows six examples, none of a held-out problem', () => {
    const shots = task.prompt.shots!('free', parameters);
    expect(shots.split('\n\n').filter(Boolean)).toHaveLength(6);
    for (const side of ['dev', 'test'] as const)
      for (const problem of task.heldOut(side, parameters)) expect(shots).not.toContain(task.prompt.free(problem));
  });

  it('finds the first wrong step, and none behind a question of the model’s own', () => {
    const problem = task.strata(parameters)[0]!.at(5);
    const gold = task.goldCompletion(problem);
    const [first = ''] = gold.trim().split(/(?<=\.)\s/);
    expect(task.checkSteps!(problem, gold.replace(first, `${first.slice(0, -1)}x.`))).toEqual({
      sound: false,
      firstWrongStep: 0,
    });
    const on = `${gold}\n\nQ: What else?\nA: The answer is 0.`;
    expect(cutOff(on)).toBe(gold + '\n');
    expect(task.checkSteps!(problem, on).sound).toBe(true);
  });
});

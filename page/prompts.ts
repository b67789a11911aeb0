/** How a judged row came about: stage, prompt, seed, sampling and model, from the run's resolved recipe and its task. Pure. */
import { seedOf } from '../activities/seed.ts';
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import type { RecipeStage } from '../schemas/recipe.ts';
import type { Rationale } from '../schemas/rationale.ts';
import type { Task } from '../tasks/task.ts';

export interface Origin {
  /** The stage that sampled it; several where the row does not tell which. */
  stages: string[];
  /** Few-shot examples before the prompt; '' = none. */
  prefix: string;
  /** null: the task is not known here. */
  prompt: string | null;
  seed: string;
  /** What the recipe asks for, or whose row says which was found best: "tuned". null = the default. */
  temperature: number | string | null;
  topP: number | null;
  /** The prompt's form: shots, chat, … */
  form: string;
  /** The iteration whose model sampled it; null where the recipe has it sampled by something else. */
  model: number | null;
  /** The reference that the recipe names: "$model". */
  modelRef: string;
}

const option = (stage: RecipeStage | undefined, name: string, changed: unknown): unknown =>
  changed ?? stage?.with?.[name];

/** Was this sample one of that stage's? */
const within = ({ with: options = {} }: RecipeStage, sample: number): boolean => {
  const [first, samples] = [Number(options.firstSample ?? 0), Number(options.samples ?? 1)];
  return sample >= first && sample < first + samples;
};

export function originOf(
  document: RunDocument,
  record: IterationRecord,
  { problem, sample, hinted }: Rationale,
  task: Task | undefined,
): Origin {
  const kind = hinted ? 'rationalize' : 'generate';
  const all = Object.entries(document.resolved?.recipe.stages ?? {}).filter(([, stage]) => stage.use === kind);
  const fitting = all.filter(([, stage]) => within(stage, sample));
  const [name, stage] = (fitting.length > 0 ? fitting : all)[0] ?? ['', undefined];
  const of = (what: string) => option(stage, what, record.changed[`stages.${name}.with.${what}`]);
  const number = (value: unknown) => (typeof value === 'number' ? value : null);
  const form = typeof of('prompt') === 'string' ? String(of('prompt')) : 'shots';
  const modelRef = [stage?.in.model ?? '$model'].flat()[0] ?? '';
  const parameters = document.resolved?.context.parameters ?? {};
  const shots = form === 'shots' || form === 'chat-shots';
  return {
    stages: (fitting.length > 0 ? fitting : all).map(([one]) => one),
    prefix: (shots && task?.prompt.shots?.(hinted ? 'hinted' : 'free', parameters)) || '',
    prompt: task ? promptOf(task, problem, hinted, of('hint') === 'tools') : null,
    seed: seedOf(document.resolved?.context.seed ?? document.seed, kind, record.n, problem.id, sample),
    temperature: [stage?.in.sampling ?? []].flat()[0] ?? number(of('temperature')),
    topP: number(of('topP')),
    form,
    model: modelRef === '$model' ? (record.rolledBackTo ?? record.n - 1) : modelRef === '$base' ? 0 : null,
    modelRef,
  };
}

function promptOf(task: Task, problem: Rationale['problem'], hinted: boolean, nudged: boolean): string {
  if (!hinted) return task.prompt.free(problem);
  return (nudged && task.prompt.nudged?.(problem)) || task.prompt.hinted(problem);
}

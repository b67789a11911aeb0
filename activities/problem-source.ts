/**
 * Problems from a data root that the worker declares: a file of JSON lines, or a folder of such files, that may grow.
 *
 *   {"id":"264+752","identity":"264+752","stratum":"3","data":{"a":264,"b":752},"gold":["1016"]}
 *
 * `resolve` takes a snapshot: every problem once, in an order by content, so neither files nor lines matter. What the last
 * run that was done had not seen, by content, is new. A last line without its end that is not whole is being written just
 * now: it waits for the next run.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { ArtifactRef } from '../schemas/artifact.ts';
import { canonicalJson } from '../schemas/canonical.ts';
import { Problem } from '../schemas/problem.ts';
import type { ProblemSnapshot } from '../schemas/problem.ts';
import type { ProblemSource } from '../schemas/run.ts';
import type { RunContext } from '../schemas/run-context.ts';
import { notCalled } from '../schemas/nearest.ts';
import { readRows, writeRows } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import { withRows } from '../tasks/dataset.ts';
import { isGate, withoutGate } from '../tasks/gate.ts';
import { sideOf, withProblems } from '../tasks/source.ts';
import type { Task } from '../tasks/task.ts';
import type { Dependencies } from './dependencies.ts';
import { invalidInput } from './failures.ts';
import type { FieldProblem } from './failures.ts';
import { wholeOf } from './sample.ts';

/** Wrong lines that are named. */
const NAMED = 5;
const seenName = (task: string, root: string) => `sources/${task}/${root}`;
/** What the last run that was done had seen. */
const Seen = z.strictObject({ format: z.literal(1), run: z.string(), problems: ArtifactRef });

const contentOf = (problem: Problem): string => createHash('sha256').update(canonicalJson(problem)).digest('hex');
const bad = (message: string) => invalidInput([{ field: 'problems.root', message }]);

async function filesOf(location: string, root: string): Promise<string[]> {
  try {
    if (!(await stat(location)).isDirectory()) return [location];
    const names = (await readdir(location)).filter((name) => name.endsWith('.jsonl')).sort();
    const inside = `${await realpath(location)}${path.sep}`;
    for (const name of names)
      if (!(await realpath(path.join(location, name))).startsWith(inside))
        throw bad(`${name} in data root ${root} is a link that leads out of it; put the file itself there`);
    return names.map((name) => path.join(location, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw bad(
      `data root ${root} is declared, but nothing is there; put a .jsonl file or a folder of them in its place`,
    );
  }
}

/** Every problem once, by content. Throws InvalidInput with the places of what is wrong. */
export async function readProblems(task: Task, location: string, root: string): Promise<Problem[]> {
  const byContent = new Map<string, Problem>();
  const places = new Map<string, string>();
  const wrong: FieldProblem[] = [];
  for (const file of await filesOf(location, root)) {
    const lines = (await readFile(file, 'utf8')).split('\n');
    for (const [index, line] of lines.entries()) {
      if (line.trim() === '') continue;
      const place = `${path.basename(file)} line ${index + 1}`;
      const parsed = parseLine(task, line);
      if (typeof parsed === 'string') {
        // Only a last line without its end can be one that is being written.
        if (index < lines.length - 1) wrong.push({ field: place, message: parsed });
        continue;
      }
      const content = contentOf(parsed);
      const standing = places.get(parsed.id);
      if (byContent.has(content)) continue;
      if (standing !== undefined)
        wrong.push({ field: place, message: `id ${parsed.id} is at ${standing} too, with other content` });
      places.set(parsed.id, place);
      byContent.set(content, parsed);
    }
  }
  if (wrong.length > NAMED)
    wrong.splice(NAMED, Infinity, { field: 'problems.root', message: `and ${wrong.length - NAMED} more` });
  if (wrong.length > 0) throw invalidInput(wrong);
  return [...byContent].sort(([x], [y]) => (x < y ? -1 : 1)).map(([, problem]) => problem);
}

/** The problem of a line, or what is wrong with it. */
function parseLine(task: Task, line: string): Problem | string {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return 'not JSON';
  }
  const { data, error } = Problem.safeParse(json);
  if (!data) return error.issues.map((issue) => `${issue.path.join('.') || '(line)'}: ${issue.message}`).join('; ');
  try {
    task.prompt.free(data);
    task.prompt.hinted(data);
    if (!(task.maxNewTokens(data) > 0)) return `task ${task.id} can't make a prompt of it`;
    return data;
  } catch (thrown) {
    return `task ${task.id} can't make a prompt of it: ${String(thrown)}`;
  }
}

/** A run's snapshot of a root, with what of it is new. Throws InvalidInput. */
export async function snapshotProblems(
  deps: Pick<Dependencies, 'store' | 'dataRoots'>,
  task: Task,
  asked: ProblemSource,
  gated: boolean,
): Promise<ProblemSnapshot> {
  const { store, dataRoots = {} } = deps;
  const { root, newShare } = asked;
  const location = Object.hasOwn(dataRoots, root) ? dataRoots[root] : undefined;
  if (location === undefined) throw bad(notCalled('data root on this worker', root, Object.keys(dataRoots)));
  const problems = await readProblems(task, location, root);
  for (const side of ['train', 'dev', 'test'] as const)
    if (!problems.some((one) => sideOf(one) === side && !(gated && side === 'train' && isGate(one))))
      throw bad(
        `data root ${root} holds ${problems.length} problems, none of them on the ${side} side; it needs some hundred`,
      );
  if (gated && !problems.some((one) => sideOf(one) === 'train' && isGate(one)))
    throw bad(`data root ${root} holds ${problems.length} problems, none of them the gate's; it needs some hundred`);
  const last = Seen.safeParse(await store.getName(seenName(task.id, root))).data;
  const seen = new Set(last && (await readRows(store, wholeOf(last.problems), Problem)).map(contentOf));
  return {
    root,
    newShare,
    problems: await writeRows(store, problems),
    fresh: await writeRows(
      store,
      problems.filter((problem) => !seen.has(contentOf(problem))),
    ),
  };
}

/** A run is done: what it drew from is not new to the next. */
export async function markSeen(store: Store, { runId, task, source }: RunContext): Promise<void> {
  if (!source) return;
  const seen: z.infer<typeof Seen> = { format: 1, run: runId, problems: source.problems };
  await store.replaceName(seenName(task, source.root), seen);
}

/** The task as a run sees it: its problems, and the gate's kept away. */
export async function taskOfRun(
  store: Store,
  task: Task,
  { source, dataset, gate }: Pick<RunContext, 'source' | 'dataset' | 'gate'>,
): Promise<Task> {
  const rows = async (ref: ArtifactRef) => readRows(store, wholeOf(ref), Problem);
  const own = source
    ? withProblems(task, await rows(source.problems))
    : dataset
      ? withRows(task, await rows(dataset.problems))
      : task;
  return gate ? withoutGate(own) : own;
}

/**
 * `paper [task]`: makes the runs of the paper's table one after another, in one session, and prints the table beside the published
 * numbers. A second call takes what is done, goes on with what is open and starts the rest. Rows, ids: cli/paper-rows.ts.
 *
 *   startrail paper gsm8k --model smollm2 --limit 100
 */
import { compareRuns } from '../report/compare.ts';
import type { Compared } from '../report/compare.ts';
import { PUBLISHED } from '../report/published.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { RunDocument, RunInput, RunStatus } from '../schemas/run.ts';
import type { Store } from '../store/store.ts';
import { taskById } from '../tasks/index.ts';
import { differenceText, outcomesOf, showCompared } from './compare.ts';
import { checkDisk } from './disk.ts';
import { readRun } from './document.ts';
import { estimate } from './estimate.ts';
import { CliError, EXIT, exitOfStatus } from './exit.ts';
import { closeSession, followRun, showEnd } from './finish.ts';
import { Detached } from './follow.ts';
import { prepareHome } from './home.ts';
import { runInput } from './input.ts';
import type { Leaving } from './leave.ts';
import { checkSame, endedBadly, limitOf, paperName, paperRows, rowId, rowInput } from './paper-rows.ts';
import type { PaperOptions, PaperRow } from './paper-rows.ts';
import { checkEngine, openStore, readStore } from './parts.ts';
import type { Context } from './parts.ts';
import { planInput } from './plan.ts';
import { names, recipeById } from './registry.ts';
import type { Session } from './session.ts';
import { beginSession, startRun } from './start.ts';
import { duration } from './terminal.ts';

interface Row extends PaperRow {
  /** Null where the task has no such row. */
  runId: string | null;
  input: RunInput | null;
  /** Null before the run has a document. */
  status: RunStatus | null;
  /** Done before this command began. */
  reused: boolean;
  document: RunDocument | undefined;
}
type Planned = Row & { runId: string; input: RunInput };
const applies = (row: Row): row is Planned => row.runId !== null && row.input !== null;

const STAR = 'star';

export async function paper(context: Context, taskId: string, options: PaperOptions): Promise<number> {
  const { terminal } = context;
  // Refuses an unknown task as `run` does.
  const task = taskById(runInput(STAR, { task: taskId }, names()).task);
  if (!task) throw new CliError(EXIT.input, 'InvalidInput', `there is no task '${taskId}'`);
  const name = paperName(task, options);
  const inputs = new Map<string, RunInput>();
  const wanted = paperRows(task, options.model);
  const recipes = wanted.filter(({ lacks }) => lacks === null).map(({ recipe }) => recipeById(recipe) as Recipe);
  for (const recipe of recipes) inputs.set(recipe.id, rowInput(recipe, recipes, task, options, names()));
  const cost = { seconds: 0, diskBytes: 0 };
  for (const input of inputs.values()) {
    const plan = await planInput(input);
    checkEngine(context, plan.engine);
    const { seconds, diskBytes } = estimate(plan, []);
    cost.seconds += seconds;
    cost.diskBytes += diskBytes;
  }
  const rows = await Promise.all(
    wanted.map(async (row): Promise<Row> => {
      const input = inputs.get(row.recipe) ?? null;
      const found = input && (await standing(await readStore(context.home), name, row.recipe, input));
      const { runId, document } = found ?? { runId: null, document: undefined };
      const reused = document?.status === 'done';
      return { ...row, runId, input, status: document?.status ?? null, reused, document };
    }),
  );
  const limit = limitOf(task, options);
  // An estimate sees no rows of published files.
  const time = task.dataset ? null : cost.seconds;
  terminal.say(
    `the paper's table on ${task.id}, seed ${options.seed ?? 1}: ${recipes.length} runs, ${name}-…` +
      `${limit === undefined ? '' : `, at most ${limit} problems drawn in an iteration and asked of dev and of test (--limit)`}` +
      (time === null ? '' : `; about ${duration(time)} at most, less what they share`),
  );
  for (const { recipe, lacks } of rows) if (lacks !== null) terminal.say(`no row ${recipe}: ${lacks}`);
  if (options.dryRun) {
    for (const { recipe, runId, status } of rows.filter(applies))
      terminal.say(`  ${recipe.padEnd(20)} ${runId} · ${status ?? 'not started'}`);
    terminal.say('nothing was started');
    if (terminal.json) terminal.document({ ...asJson(name, rows), estimate: { seconds: time } });
    return EXIT.ok;
  }
  const open = rows.filter(applies).filter(({ reused }) => !reused);
  if (open.length > 0) {
    checkDisk(context.home, cost.diskBytes);
    prepareHome(context.home);
    if (!(await makeRuns(context, rows.filter(applies)))) {
      terminal.say('detached; the same command again goes on from here');
      if (terminal.json) terminal.document(asJson(name, rows));
      return EXIT.detached;
    }
  }
  return tell(context, name, rows);
}

/** The run that stands for a row, or the id that its next attempt takes. Throws RunDiffers. */
async function standing(
  store: Store | undefined,
  name: string,
  recipe: string,
  input: RunInput,
): Promise<{ runId: string; document: RunDocument | undefined }> {
  for (let attempt = 1; ; attempt++) {
    const runId = rowId(name, recipe, attempt);
    const document = store && (await readRun(store, runId));
    if (document && endedBadly(document)) continue;
    if (document) checkSame(document, input);
    return { runId, document };
  }
}

/** One session for all of them; fills in what became of each. False where the person left. */
async function makeRuns(context: Context, rows: Planned[]): Promise<boolean> {
  const { session, leaving } = await beginSession(context, 'paper');
  const held = { session };
  try {
    for (const [index, row] of rows.entries()) {
      const what = `row ${index + 1} of ${rows.length}, ${row.recipe}: run ${row.runId}`;
      if (row.reused) context.terminal.say(`${what} is done already`);
      else if (!(await makeRun(context, held, leaving, row, what))) break;
    }
    return true;
  } catch (error) {
    if (error instanceof Detached) return false;
    throw error;
  } finally {
    await closeSession(context.terminal, held.session);
    leaving.done();
  }
}

/** False where the run waits for somebody: what comes after it would keep that from being seen. */
async function makeRun(
  context: Context,
  held: { session: Session },
  leaving: Leaving,
  row: Planned,
  what: string,
): Promise<boolean> {
  if (leaving.signal.aborted) throw new Detached('detached');
  const { runId, input } = row;
  try {
    await startRun(held.session, input, { wanted: runId, choose: () => runId, taken: [] });
    context.terminal.say(`${what} started`);
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'RunExists') throw error;
    context.terminal.say(`${what} goes on`);
  }
  const { store, document } = await followRun(context, held, runId, 'paper', leaving, input);
  // A run that had no document yet is known only now.
  checkSame(document, input);
  Object.assign(row, { document, status: document.status });
  await showEnd(context, store, document);
  return document.status !== 'waiting' && document.status !== 'paused';
}

const asJson = (name: string, rows: Row[]) => ({
  name,
  rows: rows.map(({ recipe, runId, status, reused, lacks }) => ({ recipe, runId, status, reused, lacks })),
});

async function tell(context: Context, name: string, rows: Row[]): Promise<number> {
  const { terminal } = context;
  const documents = rows.flatMap(({ document }) => document ?? []);
  const outcomes = await outcomesOf(await openStore(context.home), documents);
  const compared = compareRuns(documents, outcomes);
  const star = documents.find(({ recipe }) => recipe === STAR);
  const against = documents.flatMap((other) => {
    const difference = star && other !== star ? compareRuns([other, star], outcomes)[1]?.difference : null;
    return difference ? [{ less: other.recipe, difference }] : [];
  });
  const notes = notesOn(documents, compared);
  const unfinished = rows.filter(applies).filter(({ status }) => status !== 'done');
  if (terminal.json)
    terminal.document({
      ...asJson(name, rows),
      reference: compared[0]?.runId ?? null,
      runs: compared,
      star: against,
      notes,
      published: PUBLISHED[documents[0]?.task ?? ''] ?? null,
    });
  else {
    showCompared(terminal, compared, { ids: false });
    for (const { less, difference } of against) terminal.say(`star less ${less}: ${pairs(difference)}`);
    for (const note of notes) terminal.say(note);
    for (const { recipe, lacks } of rows) if (lacks !== null) terminal.say(`no row ${recipe}: ${lacks}`);
  }
  for (const { recipe, runId, status } of unfinished)
    terminal.say(`row ${recipe}: run ${runId} is ${status ?? 'not started'}`);
  if (unfinished.length > 0) terminal.say('the same command again goes on, with what is done as it is');
  return Math.max(EXIT.ok, ...unfinished.map(({ status }) => (status === null ? EXIT.ok : exitOfStatus(status))));
}

/** What has to be known to read the rows side by side. Pure. */
function notesOn(documents: RunDocument[], compared: Compared[]): string[] {
  const several = (values: unknown[]) => new Set(values).size > 1;
  const resolved = documents.flatMap((document) => document.resolved ?? []);
  const notes = [];
  if (several(compared.map(({ form }) => form)))
    notes.push("the forms of the prompts differ by row, as in the paper's own table");
  if (several(resolved.map(({ context: { fingerprint, implementation } }) => fingerprint + implementation)))
    notes.push('engine or task files changed between the rows; --name <name> makes them anew');
  return notes;
}

function pairs(difference: NonNullable<Compared['difference']>): string {
  const counted = difference as Partial<{ n: number; gained: number; lost: number }>;
  const { n, gained, lost } = counted;
  const text = differenceText(difference);
  return n === undefined
    ? text
    : `${text}, paired over ${n} problems: right only in star ${gained}, only in the other ${lost}`;
}

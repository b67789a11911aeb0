/**
 * `paper [task]`: makes the runs of the paper's table one after another, in one session, and prints the table beside the published
 * numbers. A second call takes what is done, goes on with what is open and starts the rest (cli/series.ts). Rows, ids: cli/paper-rows.ts.
 *
 *   startrail paper gsm8k --model smollm2 --limit 100
 */
import { compareRuns, differenceText } from '../report/compare.ts';
import type { Compared } from '../report/compare.ts';
import { outcomesOf } from '../report/paired.ts';
import { PUBLISHED } from '../report/published.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { RunDocument, RunInput } from '../schemas/run.ts';
import { taskById } from '../tasks/index.ts';
import { showCompared } from './compare.ts';
import { CliError, EXIT, exitOfStatus } from './exit.ts';
import { runInput } from './input.ts';
import { limitOf, paperName, paperRows, rowInput } from './paper-rows.ts';
import type { PaperOptions, PaperRow } from './paper-rows.ts';
import { openStore } from './parts.ts';
import type { Context } from './parts.ts';
import { names, recipeById } from './registry.ts';
import { makeSeries, seriesCost, seriesOf } from './series.ts';
import type { Member } from './series.ts';
import { duration } from './terminal.ts';

interface Row extends PaperRow {
  /** Null where the task has no such row. */
  member: Member | null;
}

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
  const cost = await seriesCost(context, [...inputs.values()]);
  const members = await seriesOf(
    context,
    name,
    [...inputs].map(([key, input]) => ({ key, input })),
  );
  const rows = wanted.map((row): Row => ({ ...row, member: members.find(({ key }) => key === row.recipe) ?? null }));
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
    for (const { key, runId, status } of members)
      terminal.say(`  ${key.padEnd(20)} ${runId} · ${status ?? 'not started'}`);
    terminal.say('nothing was started');
    if (terminal.json) terminal.document({ ...asJson(name, rows), estimate: { seconds: time } });
    return EXIT.ok;
  }
  if (!(await makeSeries(context, 'paper', members, cost))) {
    terminal.say('detached; the same command again goes on from here');
    if (terminal.json) terminal.document(asJson(name, rows));
    return EXIT.detached;
  }
  return tell(context, name, rows);
}

const asJson = (name: string, rows: Row[]) => ({
  name,
  rows: rows.map(({ recipe, lacks, member }) => ({
    recipe,
    runId: member?.runId ?? null,
    status: member?.status ?? null,
    reused: member?.reused ?? false,
    lacks,
  })),
});

async function tell(context: Context, name: string, rows: Row[]): Promise<number> {
  const { terminal } = context;
  const documents = rows.flatMap(({ member }) => member?.document ?? []);
  const outcomes = await outcomesOf(await openStore(context.home), documents);
  const compared = compareRuns(documents, outcomes);
  const star = documents.find(({ recipe }) => recipe === STAR);
  const against = documents.flatMap((other) => {
    const difference = star && other !== star ? compareRuns([other, star], outcomes)[1]?.difference : null;
    return difference ? [{ less: other.recipe, difference }] : [];
  });
  const notes = notesOn(documents, compared);
  const unfinished = rows.flatMap(({ member }) => (member && member.status !== 'done' ? member : []));
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
  for (const { key, runId, status } of unfinished)
    terminal.say(`row ${key}: run ${runId} is ${status ?? 'not started'}`);
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

/**
 * `study <recipe> [others]`: a method over several seeds beside what it is held against, by default its controls: all runs
 * (cli/series.ts), then one table with pooled differences, verdicts and what each has cost, and one figure of accuracy against
 * tokens sampled; both also stand in the home's reports.
 *
 *   startrail study star --task addition --seeds 1,2,3 --iterations 5
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Table from 'cli-table3';
import { controlTextOf } from '../recipes/control-texts.ts';
import { controlsFor } from '../recipes/controls.ts';
import { outcomesOf } from '../report/paired.ts';
import { onlyStrata } from '../report/only-strata.ts';
import { strataOf } from '../report/statistics.ts';
import { studyFigure } from '../report/study-figure.ts';
import { studyMarkdown } from '../report/study-markdown.ts';
import { studyCells, studyHead, studyLines } from '../report/study.ts';
import type { Studied, StudyLine } from '../report/study.ts';
import type { Recipe } from '../schemas/recipe.ts';
import { taskById } from '../tasks/index.ts';
import { CliError, EXIT, exitOfStatus } from './exit.ts';
import { homePaths } from './home.ts';
import { runInput } from './input.ts';
import { limitOf, rowInput } from './paper-rows.ts';
import type { PaperOptions } from './paper-rows.ts';
import { openStore } from './parts.ts';
import type { Context } from './parts.ts';
import { names, recipeById } from './registry.ts';
import { makeSeries, seriesCost, seriesOf } from './series.ts';
import type { Member } from './series.ts';
import { duration } from './terminal.ts';

export interface StudyOptions extends Omit<PaperOptions, 'seed'> {
  task: string;
  seeds: number[];
  /** Points. */
  smallest: number;
  /** Of the test split; all of them where none is named. */
  strata?: string[];
}

/** Ids of all runs begin with this: `study-<task>[-<model>][-i<iterations>][-n<limit>]`. */
function studyName(options: StudyOptions, limit: number | undefined): string {
  const model = options.model?.replace(/[^A-Za-z0-9._-]/g, '-');
  const parts = ['study', options.task, model, options.iterations && `i${options.iterations}`, limit && `n${limit}`];
  return options.name ?? parts.filter(Boolean).join('-');
}

export async function study(
  context: Context,
  recipeId: string,
  others: string[],
  options: StudyOptions,
): Promise<number> {
  const { terminal } = context;
  // Refuses unknown names as `run` does.
  const known = (id: string): Recipe => {
    runInput(id, { task: options.task }, names());
    const recipe = recipeById(id);
    if (!recipe) throw new CliError(EXIT.input, 'InvalidInput', `'${id}' is a task; a study is of recipes`);
    return recipe;
  };
  const method = known(recipeId);
  const task = taskById(options.task);
  if (!task) throw new CliError(EXIT.input, 'InvalidInput', `there is no task '${options.task}'`);
  const against = others.length > 0 ? others : controlsFor(method).map((control) => `${recipeId}-${control}`);
  const recipes = [method, ...against.filter((id) => id !== recipeId).map(known)];
  const limit = limitOf(task, options);
  const name = studyName(options, limit);
  // Seed by seed: what the first seed says is there early.
  const wanted = options.seeds.flatMap((seed) =>
    recipes.map((recipe) => ({
      recipe: recipe.id,
      seed,
      key: `${recipe.id}-s${seed}`,
      input: rowInput(recipe, recipes, task, { ...options, seed }, names()),
    })),
  );
  const strata = options.strata ?? [];
  // Of a data set the rows are read by the run, so what is no stratum of it is seen only then.
  const parameters = task.parameters.safeParse(wanted[0]?.input.parameters ?? {});
  if (parameters.success)
    refuseUnknown(
      strata,
      task.strata(parameters.data).map(({ id }) => id),
    );
  const cost = await seriesCost(
    context,
    wanted.map(({ input }) => input),
  );
  const members = await seriesOf(context, name, wanted);
  terminal.say(
    `${recipeId} on ${task.id} against ${recipes.length - 1} others, seeds ${options.seeds.join(', ')}: ${members.length} runs, ${name}-…` +
      (task.dataset ? '' : `; about ${duration(cost.seconds)} at most, less what they share`),
  );
  const said = (lines: StudyLine[] = [], markdown: string | null = null, figure: string | null = null) => ({
    name,
    rows: members.map(({ key, runId, status, reused }) => ({ key, runId, status, reused })),
    lines,
    markdown,
    figure,
  });
  if (options.dryRun) {
    for (const { key, runId, status } of members)
      terminal.say(`  ${key.padEnd(32)} ${runId} · ${status ?? 'not started'}`);
    terminal.say('nothing was started');
    if (terminal.json) terminal.document(said());
    return EXIT.ok;
  }
  if (!(await makeSeries(context, 'study', members, cost))) {
    terminal.say('detached; the same command again goes on from here');
    if (terminal.json) terminal.document(said());
    return EXIT.detached;
  }
  const all = await studied(context, wanted, members);
  refuseUnknown(strata, [...new Set(all.flatMap(({ document }) => strataOf(document)))]);
  const runs = strata.length === 0 ? all : all.map((run) => onlyStrata(run, strata));
  const lines = studyLines(runs, options.smallest / 100);
  const about = [
    `test: each run at its best iteration (chosen on dev), mean of the strata${strata.length === 0 ? '' : ` ${strata.join(', ')}`}, mean of the seeds.`,
    `Difference: problems resampled within resampled seeds. Verdict: supported = ahead in every seed and the interval excludes zero; refuted = the interval excludes ${options.smallest} points; else inconclusive.`,
    'Tokens sampled to learn from, tokens trained on and optimizer steps: to the best iteration, mean of the seeds, without the base and evaluations. At equal cost: the best iteration on dev among those within what every run of the seed has spent, a trained token counted as three sampled ones.',
  ];
  const folder = path.join(homePaths(context.home).home, 'reports', name);
  const file = path.join(folder, 'study.md');
  mkdirSync(folder, { recursive: true });
  const title = `${recipeId} on ${task.id}`;
  const figure = path.join(folder, 'study.svg');
  const documentsOf = (recipe: string) => runs.filter((run) => run.recipe === recipe).map(({ document }) => document);
  const methods = lines.map(({ recipe }) => ({ recipe, documents: documentsOf(recipe) }));
  writeFileSync(figure, studyFigure(`${title}: test accuracy by tokens sampled`, methods));
  writeFileSync(file, studyMarkdown(title, lines, about, { figure: path.basename(figure), textOf: controlTextOf }));
  if (terminal.json) terminal.document(said(lines, file, figure));
  else {
    const table = new Table({ head: studyHead(recipeId), style: { head: [], border: [] } });
    for (const line of lines) table.push(studyCells(line));
    terminal.raw(`${table.toString()}\n`);
    for (const { recipe, note } of lines) if (note !== null) terminal.say(`${recipe}: ${note}`);
    for (const line of about) terminal.say(line);
    terminal.say(`written to ${file} and ${path.basename(figure)}`);
  }
  const unfinished = members.filter(({ status }) => status !== 'done');
  for (const { key, runId, status } of unfinished)
    terminal.say(`row ${key}: run ${runId} is ${status ?? 'not started'}`);
  return Math.max(EXIT.ok, ...unfinished.map(({ status }) => (status === null ? EXIT.ok : exitOfStatus(status))));
}

function refuseUnknown(strata: string[], known: string[]): void {
  const unknown = strata.find((stratum) => !known.includes(stratum));
  if (unknown !== undefined && known.length > 0)
    throw new CliError(
      EXIT.input,
      'InvalidInput',
      `--strata: there is no stratum '${unknown}', but ${known.join(', ')}`,
    );
}

/** The runs that have come to something. */
async function studied(
  context: Context,
  wanted: { key: string; recipe: string; seed: number }[],
  members: Member[],
): Promise<Studied[]> {
  const documents = members.flatMap(({ document }) => document ?? []);
  const outcomes = await outcomesOf(await openStore(context.home), documents);
  return wanted.flatMap(({ recipe, seed, key }) => {
    const document = members.find((member) => member.key === key)?.document;
    const own = document && outcomes.get(document.runId);
    return document && own ? [{ recipe, seed, document, outcomes: own }] : [];
  });
}

/**
 * `theory <run> …`: runs on task chains beside RL-STaR's recursion: each model's advantage over chance at each step and its J, from
 * the samples of the iteration after it, and what the recursion makes of the steps one iteration before.
 *
 *   startrail theory chains-refit-s1-1 chains-refit-s2-1 chains-refit-s3-1
 *
 * Runs that differ by their seed alone make one table. Read from the store alone; Markdown and figures go to the home's reports.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { markdownTableOf } from '../report/markdown-table.ts';
import { theoryFigure } from '../report/theory-figure.ts';
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import { Judged } from '../schemas/verdict.ts';
import { rowBatches } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import { ChainParameters, endsRight, rightMoves } from '../tasks/chains.ts';
import { heldAgainst, measure } from '../theory/measured.ts';
import type { Held, Moves, Steps } from '../theory/measured.ts';
import { CliError, EXIT } from './exit.ts';
import { homePaths } from './home.ts';
import type { Context } from './parts.ts';
import { resolvedRun, storedRun } from './recorded.ts';
import { offCell, sayTable, share } from './theory-table.ts';

interface Setting {
  recipe: string;
  parameters: ChainParameters;
  temperature: number;
  /** Share of wrong ends that are learnt from: the verifier's, or all where the recipe has no filter. */
  falseAccepts: number;
}

const HEAD = [
  ...['iteration', 'samples', 'δ of each step', 'J measured', 'J of its steps', 'J foretold', 'off, 99%'],
  ...['sound measured', 'sound foretold'],
];
const ABOUT =
  'Of the model of each iteration, by the samples drawn from it, mean of the runs. J of its steps: what these δ come to if no move knows of another. ' +
  'Foretold: what the recursion makes of the δ one iteration before. Off: J measured less J foretold, interval over runs.';

const cells = (row: Held): string[] => [
  String(row.iteration),
  String(Math.round(row.samples)),
  row.deltas.map((delta) => delta.toFixed(3)).join(' '),
  share(row.accuracy),
  share(row.ofSteps.accuracy),
  share(row.foretold?.accuracy),
  offCell(row),
  share(row.sound),
  share(row.foretold?.sound),
];

const refused = (message: string) => new CliError(EXIT.input, 'InvalidInput', message);

function settingOf(document: RunDocument): Setting {
  const { resolved, runId } = resolvedRun(document);
  if (document.task !== 'chains') throw refused(`run ${runId} is of task ${document.task}; theory knows chains alone`);
  const stages = Object.values(resolved.recipe.stages);
  const temperature = Number(stages.find(({ use }) => use === 'generate')?.with?.temperature ?? 0);
  if (temperature === 0)
    throw refused(
      `run ${runId} samples greedily (or not at all), and greedy texts show no probabilities; take a recipe that samples, as refit`,
    );
  const parameters = ChainParameters.parse(resolved.context.parameters);
  // Judged by another's answer, each end is kept as often as any.
  const unfiltered = stages.some(({ use, with: of }) => use === 'unfiltered' || of?.gold === 'shuffled');
  const falseAccepts = unfiltered ? 1 : parameters.falseAccepts;
  return { recipe: resolved.recipe.id, parameters, temperature, falseAccepts };
}

/** The free samples of an iteration, which are those of the model before it. */
async function samplesOf(store: Store, { judged }: IterationRecord): Promise<Moves[]> {
  const moves: Moves[] = [];
  const rows = { shards: judged, rows: judged.reduce((sum, ref) => sum + (ref.rows ?? 0), 0) };
  for await (const batch of rowBatches(store, rows, Judged))
    for (const { rationale } of batch)
      if (!rationale.hinted && ['stop', 'length'].includes(rationale.finish))
        moves.push({
          right: rightMoves(rationale.problem, rationale.text),
          ended: endsRight(rationale.problem, rationale.text),
        });
  return moves;
}

/** Of its models 0, 1, …: up to the last one that was sampled from. */
async function stepsOf(store: Store, document: RunDocument, states: number): Promise<Steps[]> {
  const steps: Steps[] = [];
  for (const record of document.iterations.filter(({ n }) => n > 0).sort((x, y) => x.n - y.n)) {
    if (record.rolledBackTo !== undefined)
      throw refused(
        `run ${document.runId} was rolled back in iteration ${record.n}; its models do not follow each other`,
      );
    const measured = measure(states, await samplesOf(store, record));
    if (measured === undefined) break;
    steps.push(measured);
  }
  if (steps.length === 0) throw refused(`run ${document.runId} has no iteration that sampled; let it make one`);
  return steps;
}

export async function theoryOfRuns(context: Context, runIds: string[]): Promise<number> {
  const { terminal, home } = context;
  const groups = new Map<string, { setting: Setting; runs: string[]; steps: Steps[][] }>();
  for (const runId of new Set(runIds)) {
    const { store, document } = await storedRun(context, runId);
    const setting = settingOf(document);
    const key = JSON.stringify(setting);
    const group = groups.get(key) ?? { setting, runs: [], steps: [] };
    group.runs.push(runId);
    group.steps.push(await stepsOf(store, document, setting.parameters.states));
    groups.set(key, group);
  }
  const folder = path.join(homePaths(home).home, 'reports', 'theory');
  const name = `runs-${createHash('sha256')
    .update([...groups.values()].flatMap(({ runs }) => runs).join())
    .digest('hex')
    .slice(0, 12)}`;
  const markdown = path.join(folder, `${name}.md`);
  mkdirSync(folder, { recursive: true });
  const told = [...groups.values()].map(({ setting, runs, steps }, index) => {
    const { recipe, parameters, temperature, falseAccepts } = setting;
    const { states, deltas, sees } = parameters;
    const title = `${recipe}: ${states} states, steps ${deltas.join(', ')}, sees the ${sees}, false accepts ${falseAccepts}, T = ${temperature}`;
    const rows = heldAgainst(steps, { states, falseAccepts, temperature });
    const figure = path.join(folder, `${name}-${index + 1}.svg`);
    writeFileSync(figure, theoryFigure(title, rows.map(plotted)));
    return { title, ...setting, runs, rows, figure };
  });
  const text = told.flatMap(({ title, runs, rows, figure }) => [
    ...[`## ${title}`, '', `Runs ${runs.join(', ')}.`, '', markdownTableOf(HEAD, rows.map(cells)), ''],
    ...[`![Accuracy and soundness, foretold and measured](${path.basename(figure)})`, ''],
  ]);
  writeFileSync(markdown, ['# Chains beside the recursion', '', ABOUT, '', ...text].join('\n'));
  if (terminal.json) {
    terminal.document({ groups: told, markdown });
    return EXIT.ok;
  }
  for (const { title, runs, rows } of told) sayTable(terminal, `${title} · ${runs.join(', ')}`, HEAD, rows.map(cells));
  terminal.say(ABOUT);
  terminal.say(`written to ${markdown}`);
  return EXIT.ok;
}

const plotted = ({ iteration, accuracy, sound, ofSteps, foretold }: Held) => ({
  iteration,
  // The base is foretold by nothing: what its own steps come to stands in that place.
  predicted: foretold ?? ofSteps,
  measured: { accuracy, sound },
});

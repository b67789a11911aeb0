/** Two runs, or two recipes, beside each other: accuracy, paired difference, what they were asked for. */
import { compareFigure } from '../report/compare-figure.ts';
import { compareRuns, differenceText, unlike } from '../report/compare.ts';
import type { Compared } from '../report/compare.ts';
import { figure } from '../report/page.ts';
import { outcomesOf } from '../report/paired.ts';
import { interval, minutes, percent } from '../report/statistics.ts';
import { markup, oneLine } from '../report/untrusted.ts';
import type { Markup } from '../report/untrusted.ts';
import { recipeDifference } from '../schemas/recipe-difference.ts';
import type { Recipe } from '../schemas/recipe.ts';
import type { RunDocument } from '../schemas/run.ts';
import type { Store } from '../store/store.ts';
import type { Archive } from './archive.ts';
import type { Installation } from './installation.ts';
import type { View } from './layout.ts';
import { notFound } from './refusal.ts';

const RECIPE = 'recipe:';
type Side = { name: string; recipe: Recipe | undefined; document: RunDocument | undefined };

export async function compareView(
  archive: Archive,
  { store, recipe, recipes }: Installation,
  asked: { a: string | null; b: string | null },
): Promise<View> {
  const side = async (name: string): Promise<Side> => {
    if (!name.startsWith(RECIPE)) {
      const document = await archive.run(name);
      return { name, document, recipe: document.resolved?.recipe };
    }
    const known = recipe(name.slice(RECIPE.length));
    if (!known) throw notFound('there is no such recipe');
    return { name, recipe: known, document: undefined };
  };
  const names = [asked.a, asked.b].filter((one) => one !== null && one !== '') as string[];
  const sides = await Promise.all(names.map(side));
  return {
    title: 'Compare',
    here: 'compare',
    main: markup`<h1>Compare</h1>
      <section>${form(await archive.ids(), recipes, asked)}</section>
      ${sides.length === 2 && (await compared(store, sides as [Side, Side]))}`,
  };
}

function form(runs: string[], recipes: string[], asked: { a: string | null; b: string | null }): Markup {
  const option = (value: string, text: string, chosen: boolean) =>
    chosen
      ? markup`<option value="${value}" selected>${text}</option>`
      : markup`<option value="${value}">${text}</option>`;
  const select = (name: 'a' | 'b', label: string) =>
    markup`<label>${label}
      <select name="${name}" required>
        ${option('', 'choose …', asked[name] === null)}
        <optgroup label="Runs">${runs.map((run) => option(run, oneLine(run, 100), asked[name] === run))}</optgroup>
        <optgroup label="Recipes">${recipes.map((id) => option(`${RECIPE}${id}`, `recipe ${id}`, asked[name] === `${RECIPE}${id}`))}</optgroup>
      </select></label>`;
  return markup`<form class="filter" method="get" action="/compare" data-plain>
    ${select('a', 'One')}${select('b', 'The other')}<button class="main">Compare</button>
  </form>`;
}

async function compared(store: Store, sides: [Side, Side]): Promise<Markup> {
  const documents = sides.flatMap(({ document }) => document ?? []);
  return markup`${documents.length === 2 && (await results(store, documents))}
    <section aria-labelledby="h-recipes">
      <h2 id="h-recipes">What they were asked for</h2>
      ${difference(sides)}
    </section>`;
}

async function results(store: Store, documents: RunDocument[]): Promise<Markup> {
  const why = unlike(documents);
  // Where the test rows are gone, the intervals alone are compared; a pair needs both.
  const rows = compareRuns(documents, await outcomesOf(store, documents).catch(() => undefined));
  const row = ({ runId, recipe, task, seed, best, difference: less, note, used, seconds }: Compared) =>
    markup`<tr>
      <th scope="row"><a href="/runs/${runId}">${runId}</a></th>
      <td class="left">${oneLine(recipe, 40)}</td>
      <td class="left">${oneLine(task, 40)}</td>
      <td>${seed}</td>
      <td>${best ? best.n : '–'}</td>
      <td>${percent(best?.accuracy.accuracy ?? null)} (${interval(best?.accuracy ?? null)})</td>
      <td>${less ? differenceText(less) : (note ?? '–')}</td>
      <td>${percent(used.free)}, ${percent(used.hinted)}</td>
      <td>${minutes(seconds)}</td>
    </tr>`;
  return markup`<section>
      <h2>Best iterations</h2>
      ${why !== null && markup`<p class="reason">Not alike: ${oneLine(why, 400)}.</p>`}
      <div class="scroll" tabindex="0" role="region" aria-label="Best iterations">
        <table>
          <thead>
            <tr>
              ${['run', 'recipe', 'task'].map((name) => markup`<th scope="col" class="left">${name}</th>`)}
              ${['seed', 'iteration', 'test % (95%)', 'less the first, 95%', 'free, hinted %', 'minutes'].map((name) => markup`<th scope="col">${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${rows.map(row)}
          </tbody>
        </table>
      </div>
      <p class="note">The best iteration was chosen on dev; differences are paired over the test problems
        both were asked, where those rows are still there.</p>
    </section>
    <section>${figure(compareFigure(documents))}</section>`;
}

function difference([a, b]: [Side, Side]): Markup {
  if (!a.recipe || !b.recipe) return markup`<p class="note">One of them ended before its recipe was resolved.</p>`;
  const changes = recipeDifference(a.recipe, b.recipe);
  const tasks = [a, b].map(({ document }) => document && `${document.task}, seed ${document.seed}`);
  if (changes.length === 0 && tasks[0] === tasks[1]) return markup`<p class="note">Nothing differs.</p>`;
  const cell = (has: boolean, value: unknown) =>
    markup`<td>${has ? markup`<code>${oneLine(JSON.stringify(value), 400)}</code>` : '–'}</td>`;
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="What they were asked for">
    <table class="words">
      <thead>
        <tr>
          <th scope="col">path</th>
          <th scope="col">${oneLine(a.name, 100)}</th>
          <th scope="col">${oneLine(b.name, 100)}</th>
        </tr>
      </thead>
      <tbody>
        ${
          tasks[0] !== tasks[1] &&
          markup`<tr>
            <th scope="row">task</th>
            <td>${tasks[0] ?? '–'}</td>
            <td>${tasks[1] ?? '–'}</td>
          </tr>`
        }
        ${changes.map(
          (change) =>
            markup`<tr>
              <th scope="row"><code>${oneLine(change.path)}</code></th>
              ${cell('left' in change, change.left)}${cell('right' in change, change.right)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/**
 * The figures of a report: which numbers, in which form, and the same numbers as a table for whoever can't see them.
 *
 * Each figure is drawn twice, wide and for a phone, since text in a drawing that is scaled down can't be read. A run without
 * the numbers gets a sentence in the figure's place.
 */
import type { EChartsCoreOption } from 'echarts/core';
import type { IterationRecord, RunDocument } from '../schemas/run.ts';
import {
  estimate,
  interval,
  overall,
  percent,
  secondsOf,
  stagesOf,
  strataName,
  strataOf,
  tokensPerSecond,
} from './statistics.ts';
import type { Estimate } from './statistics.ts';
import { bands, bars, lines, SYMBOLS } from './plots.ts';
import type { Series } from './plots.ts';
import { drawn, SERIES } from './svg.ts';
import type { Colour, Tip } from './svg.ts';
import { oneLine } from './untrusted.ts';

export interface Key {
  name: string;
  colour: Colour;
  /** The marker of a line, or a filled square. */
  mark: (typeof SYMBOLS)[number] | 'square';
}

export interface Figure {
  id: string;
  title: string;
  /** What to read from it, in a sentence or two. */
  caption: string;
  /** What it shows, for whoever hears the page. */
  alt: string;
  keys: Key[];
  /** null: there is nothing to draw, `caption` says why. */
  svg: { wide: string; narrow: string } | null;
  table: { head: string[]; rows: string[][] };
}

/** More lines than this can't be told apart; the table has all. */
const MOST_LINES = 8;
const WIDE = [1060, 380] as const;
const NARROW = [350, 270] as const;

type Draw = (narrow: boolean) => EChartsCoreOption;
/** Wide, and for a phone. */
export function both(id: string, draw: Draw, tip: Tip): Figure['svg'] {
  return {
    wide: drawn(id, draw(false), ...WIDE, tip),
    narrow: drawn(`${id}-s`, draw(true), ...NARROW, tip),
  };
}

const iterationsOf = (records: IterationRecord[]): string[] => records.map((record) => String(record.n));
const share = (value: number | null | undefined): number | null =>
  value === null || value === undefined ? null : value * 100;
const signed = (one: Estimate | null): string =>
  one ? `${percent(one.accuracy)}% (95%: ${interval(one)}), n = ${one.n}` : 'nothing judged';

function bestIndex(document: RunDocument, records: IterationRecord[]): number | null {
  const index = records.findIndex((record) => record.n === document.best?.n);
  return index < 0 ? null : index;
}

/** All figures of a run, in the order they are shown. The same document ⇒ the same bytes. */
export function figuresOf(document: RunDocument): Figure[] {
  return [accuracyFigure(document), ledger(document), sound(document), speed(document), time(document)];
}

/** Test accuracy by stratum over iterations, with intervals. */
export function accuracyFigure(document: RunDocument): Figure {
  const records = document.iterations;
  const name = strataName(document);
  const strata = strataOf(document);
  const shown = strata.slice(0, MOST_LINES);
  const of = (stratum: string | null) => (record: IterationRecord) =>
    stratum === null ? overall(record.accuracy) : estimate(record.accuracy, stratum);
  const rows: { name: string; colour: Colour; at: (Estimate | null)[]; thick: boolean }[] = [
    ...shown.map((stratum, i) => ({
      name: `${name} ${oneLine(stratum, 24)}`,
      colour: SERIES[i] as Colour,
      at: records.map(of(stratum)),
      thick: false,
    })),
    { name: 'overall (mean)', colour: 'ink', at: records.map(of(null)), thick: true },
  ];
  const series: Series[] = rows.map((row, i) => ({
    colour: row.colour,
    symbol: SYMBOLS[i % SYMBOLS.length] as (typeof SYMBOLS)[number],
    thick: row.thick,
    values: row.at.map((one) => share(one?.accuracy)),
    low: row.at.map((one) => share(one?.low)),
    high: row.at.map((one) => share(one?.high)),
  }));
  const base = {
    id: 'accuracy',
    title: `Test accuracy by ${name}`,
    keys: rows.map((row, i): Key => ({ name: row.name, colour: row.colour, mark: series[i]?.symbol ?? 'square' })),
    table: {
      head: ['iteration', ...rows.map((row) => row.name)],
      rows: records.map((record, at) => [
        String(record.n),
        ...rows.map((row) => (row.at[at] ? `${percent(row.at[at].accuracy)} (${interval(row.at[at])})` : '–')),
      ]),
    },
  };
  if (!rows.some((row) => row.at.some((one) => one !== null)))
    return { ...base, caption: 'Nothing was evaluated yet.', alt: '', keys: [], svg: null };
  const tip: Tip = (index, at) =>
    rows[index] ? `${rows[index].name}, iteration ${records[at]?.n}: ${signed(rows[index].at[at] ?? null)}` : '';
  const left = strata.length - shown.length;
  return {
    ...base,
    caption:
      `Share of right answers on the test split, with 95% intervals as bands. Iteration 0 is the base model.` +
      (document.best ? ' The dashed line marks the best iteration, which was chosen on the dev split.' : '') +
      (left > 0 ? ` ${left} more strata are in the table above.` : ''),
    alt: `Lines over iterations: ${rows.map((row) => `${row.name} from ${ends(row.at)}`).join('; ')}.`,
    svg: both('accuracy', (narrow) => bands(iterationsOf(records), series, narrow, bestIndex(document, records)), tip),
  };
}

const ends = (at: (Estimate | null)[]): string => {
  const known = at.filter((one) => one !== null);
  const [first, last] = [known[0], known.at(-1)];
  return first && last ? `${percent(first.accuracy)}% to ${percent(last.accuracy)}%` : 'nothing judged';
};

const WORDS = [
  { name: 'accepted-free', colour: 'blue', key: 'acceptedFree' },
  { name: 'accepted-hinted', colour: 'sky', key: 'acceptedHinted' },
  { name: 'unjudged', colour: 'stone', key: 'unjudged' },
  { name: 'rejected', colour: 'orange', key: 'rejected' },
] as const;

function ledger(document: RunDocument): Figure {
  const records = document.iterations.filter((record) => record.drawn > 0);
  const tip: Tip = (series, at) => {
    const [word, record] = [WORDS[series], records[at]];
    if (!word || !record) return '';
    const count = record.ledger[word.key];
    return `iteration ${record.n}: ${word.name} ${count} of ${record.drawn} (${percent(count / record.drawn)}%)`;
  };
  const series = WORDS.map(({ colour, key }) => ({ colour, values: records.map((record) => record.ledger[key]) }));
  const last = records.at(-1);
  return {
    id: 'ledger',
    title: 'Ledger: what became of each problem drawn',
    caption: last
      ? 'Every problem drawn ends in exactly one of the four; a problem that could not be judged is never counted as wrong.'
      : 'No iteration that draws problems is finished yet.',
    alt: last
      ? `Stacked bars. Iteration ${last.n}: ${WORDS.map(({ name, key }) => `${name} ${last.ledger[key]}`).join(', ')}.`
      : '',
    keys: last ? WORDS.map(({ name, colour }) => ({ name, colour, mark: 'square' })) : [],
    svg: last ? both('ledger', (narrow) => bars(iterationsOf(records), series, narrow, 'problems'), tip) : null,
    table: {
      head: ['iteration', 'drawn', ...WORDS.map(({ name }) => name)],
      rows: records.map((record) =>
        [record.n, record.drawn, ...WORDS.map(({ key }) => record.ledger[key])].map(String),
      ),
    },
  };
}

function sound(document: RunDocument): Figure {
  const records = document.iterations.filter((record) => record.drawn > 0);
  const values = records.map((record) => share(record.soundShare));
  const known = values.some((value) => value !== null);
  const series: Series[] = [{ colour: 'teal', symbol: 'circle', thick: true, values }];
  const tip: Tip = (_series, at) =>
    records[at]
      ? `iteration ${records[at].n}: ${percent(records[at].soundShare)}% of accepted rationales are sound`
      : '';
  return {
    id: 'sound',
    title: 'Sound share: right answers for right reasons',
    caption: known
      ? 'Share of accepted rationales in which the step checker found every step right. Accuracy alone can’t tell a model that reasons from one that guesses well.'
      : records.length > 0
        ? 'Not known: this task has no step checker, or nothing was accepted.'
        : 'No iteration that draws problems is finished yet.',
    alt: known ? `Line over iterations: ${records.map((r) => `${r.n}: ${percent(r.soundShare)}%`).join(', ')}.` : '',
    keys: [],
    svg: known ? both('sound', (narrow) => bands(iterationsOf(records), series, narrow, null), tip) : null,
    table: {
      head: ['iteration', 'sound %'],
      rows: records.map((record) => [String(record.n), percent(record.soundShare)]),
    },
  };
}

/** The stages that take longest get the colours that are easiest to tell apart; the same ones in both figures of stages. */
function stageColours(document: RunDocument): (stage: string) => Colour {
  const total = (stage: string) => document.iterations.reduce((sum, record) => sum + (record.seconds[stage] ?? 0), 0);
  const longest = stagesOf(document).map((stage) => ({ stage, seconds: total(stage) }));
  longest.sort((a, b) => b.seconds - a.seconds);
  return (stage) => SERIES[longest.findIndex((one) => one.stage === stage) % SERIES.length] as Colour;
}

function speed(document: RunDocument): Figure {
  const records = document.iterations;
  const colourOf = stageColours(document);
  const stages = stagesOf(document).filter((stage) =>
    records.some((record) => tokensPerSecond(record, stage) !== null),
  );
  const series: Series[] = stages.map((stage, i) => ({
    colour: colourOf(stage),
    symbol: SYMBOLS[i % SYMBOLS.length] as (typeof SYMBOLS)[number],
    thick: false,
    values: records.map((record) => tokensPerSecond(record, stage)),
  }));
  const count = (value: number | null) => (value === null ? '–' : String(Math.round(value)));
  const tip: Tip = (index, at) => {
    const [stage, record] = [stages[index], records[at]];
    return stage && record ? `${stage}, iteration ${record.n}: ${count(tokensPerSecond(record, stage))} tokens/s` : '';
  };
  const some = stages.length > 0;
  return {
    id: 'speed',
    title: 'Tokens per second by stage',
    caption: some
      ? 'Tokens sampled or trained on, without padding, per second of the stage.'
      : 'No stage has counted tokens yet.',
    alt: some
      ? `Lines over iterations. Latest: ${stages.map((s) => `${oneLine(s)} ${count(latest(records, s))}`).join(', ')}.`
      : '',
    keys: stages.map((stage, i) => ({
      name: stage,
      colour: colourOf(stage),
      mark: series[i]?.symbol ?? 'square',
    })),
    svg: some ? both('speed', (narrow) => lines(iterationsOf(records), series, narrow, 'tokens/s'), tip) : null,
    table: {
      head: ['iteration', ...stages],
      rows: records.map((record) => [
        String(record.n),
        ...stages.map((stage) => count(tokensPerSecond(record, stage))),
      ]),
    },
  };
}

const latest = (records: IterationRecord[], stage: string): number | null =>
  records.map((record) => tokensPerSecond(record, stage)).findLast((value) => value !== null) ?? null;

function time(document: RunDocument): Figure {
  const records = document.iterations;
  const colourOf = stageColours(document);
  const stages = stagesOf(document);
  const series = stages.map((stage) => ({
    colour: colourOf(stage),
    values: records.map((record) => record.seconds[stage] ?? 0),
  }));
  const tip: Tip = (index, at) => {
    const [stage, record] = [stages[index], records[at]];
    return stage && record ? `iteration ${record.n}: ${stage} ${(record.seconds[stage] ?? 0).toFixed(1)} s` : '';
  };
  const some = stages.length > 0;
  const total = records.reduce((sum, record) => sum + secondsOf(record), 0);
  return {
    id: 'seconds',
    title: 'Seconds by stage',
    caption: some
      ? 'Wall time of each stage’s first, real execution; work taken over from the memo counts as what it once took.'
      : 'No stage is finished yet.',
    alt: some ? `Stacked bars over iterations; ${total.toFixed(0)} seconds in all.` : '',
    keys: stages.map((stage) => ({ name: stage, colour: colourOf(stage), mark: 'square' })),
    svg: some ? both('seconds', (narrow) => bars(iterationsOf(records), series, narrow, 'seconds'), tip) : null,
    table: {
      head: ['iteration', ...stages, 'total'],
      rows: records.map((record) => [
        String(record.n),
        ...stages.map((stage) => (record.seconds[stage] ?? 0).toFixed(1)),
        secondsOf(record).toFixed(1),
      ]),
    },
  };
}

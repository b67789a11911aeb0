/** The report as Markdown: the table, the numbers of each figure, the rationales in fences that their text cannot close. */
import type { Judged } from '../schemas/verdict.ts';
import type { Figure } from './figures.ts';
import type { ResolvedOptions } from './options.ts';
import type { Parts } from './page.ts';
import type { SampleGroup } from './samples.ts';
import { markdownTableOf } from './markdown-table.ts';
import { shown } from './samples-text.ts';
import { strataName } from './statistics.ts';
import { markdownTable } from './table.ts';
import { coded, fenced, visible } from './untrusted.ts';

/** The whole file. The same parts ⇒ the same bytes. */
export function markdown({ document, figures, options, samples }: Parts): string {
  const said = [
    `# Startrail run ${coded(document.runId)}`,
    `recipe ${coded(document.recipe)} · task ${coded(document.task)} · seed ${document.seed} · **${document.status}**`,
    document.reason === null ? '' : `> ${coded(document.reason, 1000)}`,
    '## Iterations',
    markdownTable(document),
    ...figures.map(figureText),
    '## Rationales',
    'In a fence, `-` marks the first wrong step.',
    ...samples.flatMap((group) => groupText(group, strataName(document))),
    '## Options',
    optionsText(options),
    '## Input',
    fenced(JSON.stringify(document.input, null, 2), 'json'),
    `Started ${coded(document.startedAt)}, last change ${coded(document.updatedAt)}, workflow ${coded(document.workflowId)}.`,
  ];
  return `${said.filter((part) => part !== '').join('\n\n')}\n`;
}

function figureText({ title, caption, table: { head, rows }, svg }: Figure): string {
  // headings may hold names of stages and strata
  const numbers = svg
    ? `\n\n${markdownTableOf(
        head.map((name) => coded(name, 40)),
        rows,
      )}`
    : '';
  return `## ${title.replace(/[^\p{L}\p{N} :,.-]/gu, '')}\n\n${caption}${numbers}`;
}

function groupText(group: SampleGroup, strata: string): string[] {
  const count =
    group.iteration === null
      ? 'none in this run'
      : `${group.samples.length} of ${group.of}, iteration ${group.iteration}`;
  return [
    `### ${group.outcome} (${count})`,
    ...group.missing.map((what) => `Not to be had: ${coded(what)}.`),
    ...group.samples.flatMap(({ problem, stratum, made, row: judged }) =>
      judged
        ? [`**${coded(problem)}** · ${factsText(judged, strata)}`, rationaleText(judged)]
        : [
            `**${coded(problem)}** · ${strata} ${coded(stratum)} · ${made ? 'its rationale is not in the store' : 'no rationale was made'}`,
          ],
    ),
  ];
}

function factsText(judged: Judged, strata: string): string {
  const { verdict, sound, rationale } = judged;
  const reason = verdict.verdict === 'incorrect' ? verdict.why : verdict.verdict === 'unjudged' ? verdict.cause : null;
  return [
    ...shown(judged, strata).map(({ name, text }) => `${coded(name)} ${coded(text, 600)}`),
    rationale.hinted ? 'hinted' : 'free',
    verdict.verdict,
    ...(sound === null ? [] : [sound ? 'sound' : 'unsound']),
    ...(reason === null ? [] : [coded(reason, 400)]),
  ].join(' · ');
}

function rationaleText({ rationale, firstWrongStep }: Judged): string {
  const lines = visible(rationale.text).split('\n');
  const marked = lines.map((text, i) => `${i === firstWrongStep ? '-' : ' '} ${text}`);
  if (firstWrongStep !== null && firstWrongStep >= lines.length) marked.push('- (this line is missing)');
  return fenced(marked.join('\n'), 'diff');
}

function optionsText({ options, missing }: ResolvedOptions): string {
  const rows = options.map(({ path, value, origin }) => [coded(path), coded(value, 400), coded(origin ?? '')]);
  return [
    missing === null ? '' : `${coded(missing, 400)}`,
    rows.length > 0 ? markdownTableOf(['option', 'value', 'from'], rows) : '',
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

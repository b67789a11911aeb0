/** A study as Markdown: the table, a figure, and a section for everything that the method is held against. Same lines ⇒ same bytes. */
import { markdownTableOf } from './markdown-table.ts';
import { percent } from './statistics.ts';
import { points, shownDifference, studyCells, studyHead } from './study.ts';
import type { StudyLine } from './study.ts';

/** What a control is about; the report knows no recipes. */
export type TextOf = (recipe: string) => { away: string; asks: string } | undefined;

function section(method: string, line: StudyLine, text: ReturnType<TextOf>): string[] {
  const { recipe, difference, verdict, overSeeds, note } = line;
  return [
    '',
    `## ${recipe}`,
    '',
    ...(text ? [`Taken away: ${text.away}. ${text.asks}`, ''] : []),
    `${percent(line.test)}% on test (by seed ${line.testBySeed.map(percent).join(', ')}), ${line.kept.join(', ')} rows of its own, ` +
      `${percent(line.sound)}% of them sound.`,
    ...(difference
      ? [
          '',
          `${method} less it: ${shownDifference(difference)} points, by seed ${difference.bySeed.map(points).join(', ')}, ` +
            `${difference.n} pairs: **${verdict ?? '–'}**.`,
        ]
      : []),
    ...(overSeeds && difference ? ['', `It less seeds-only: ${shownDifference(overSeeds)} points.`] : []),
    ...(note === null ? [] : ['', `> ${note}`]),
  ];
}

/** `figure`: a file beside it. */
export function studyMarkdown(
  title: string,
  lines: StudyLine[],
  about: string[],
  { figure, textOf = () => undefined }: { figure?: string; textOf?: TextOf } = {},
): string {
  const method = lines[0]?.recipe ?? '';
  return [
    `# ${title}`,
    '',
    markdownTableOf(studyHead(method), lines.map(studyCells)),
    '',
    ...(figure === undefined ? [] : [`![Test accuracy against tokens sampled](${figure})`, '']),
    ...about,
    ...lines.flatMap((line) => section(method, line, textOf(line.recipe))),
    '',
  ].join('\n');
}

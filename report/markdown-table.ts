/** A table in Markdown. Cells are written as they are: what strangers wrote is coded first (untrusted.ts). */
export const markdownRow = (cells: string[]): string => `| ${cells.join(' | ')} |`;

/** @param rule how each column is set: `---`, or `---:` for numbers. */
export const markdownTableOf = (heads: string[], rows: string[][], rule = '---'): string =>
  [markdownRow(heads), markdownRow(heads.map(() => rule)), ...rows.map(markdownRow)].join('\n');

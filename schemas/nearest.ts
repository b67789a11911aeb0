/** The nearest of some names, for "did you mean …?". Pure. */

/** Edits (insert, delete, replace, swap of neighbours) between two words. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...Array<number>(b.length).fill(0)]);
  for (let j = 0; j <= b.length; j++) (rows[0] as number[])[j] = j;
  const at = (i: number, j: number) => rows[i]?.[j] ?? Infinity;
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(i - 2, j - 2) + 1);
      (rows[i] as number[])[j] = best;
    }
  return at(a.length, b.length);
}

/** The sentence for a name that nothing has. */
export function notCalled(what: string, found: string, choices: readonly string[]): string {
  const near = nearest(found, choices);
  return `no ${what} is called "${found}"${near ? `; did you mean "${near}"?` : ''} (there are ${choices.join(', ') || 'none'})`;
}

/** The choice with the fewest edits, if it is near enough to be what was meant. */
export function nearest(found: string, choices: readonly string[]): string | undefined {
  const ranked = choices
    .map((choice) => ({ choice, d: distance(found.toLowerCase(), choice.toLowerCase()) }))
    .sort((x, y) => x.d - y.d || (x.choice < y.choice ? -1 : 1));
  const best = ranked[0];
  return best && best.d <= Math.max(2, Math.ceil(best.choice.length / 2)) ? best.choice : undefined;
}

/**
 * Where a command's words go. With --json standard output carries one JSON document and everything else goes to standard
 * error. Control characters are stripped: what a model or a failure message says must not steer the terminal.
 */
export interface Terminal {
  json: boolean;
  /** Standard output is a terminal, and nothing else is to be written there. */
  live: boolean;
  say(text: string): void;
  /** Verbatim, for the one JSON document. */
  document(value: unknown): void;
  raw(text: string): void;
  columns(): number;
}

export const clean = (text: string): string => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');

export function openTerminal(json: boolean): Terminal {
  const stream = json ? process.stderr : process.stdout;
  // `startrail list | head` closes the pipe early; that is no error.
  for (const each of [process.stdout, process.stderr])
    each.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  return {
    json,
    live: !json && process.stdout.isTTY === true,
    say: (text) => stream.write(`${clean(text)}\n`),
    document: (value) => process.stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    raw: (text) => stream.write(text),
    columns: () => process.stdout.columns || 80,
  };
}

export const percent = (share: number): string => `${(share * 100).toFixed(1)}%`;

export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3_600)} h ${Math.floor((s % 3_600) / 60)} min`;
}

export const byteSize = (bytes: number): string => {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1_000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
};

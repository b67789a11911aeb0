/** Free disk, looked at before a run: better a sentence now than a run that stops in the night. */
import { existsSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { CliError, EXIT } from './exit.ts';
import { byteSize } from './terminal.ts';

/** Server database, logs and what else lives on the disk must not starve. */
const RESERVE_BYTES = 200e6;

/** The nearest folder above, or itself, that is there. */
export function standing(folder: string): string {
  let place = path.resolve(folder);
  while (!existsSync(place) && place !== path.dirname(place)) place = path.dirname(place);
  return place;
}

/** Bytes free for this user where `folder` is or will be. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(standing(folder));
  return bavail * bsize;
}

/** Throws StoreFull (exit 3) where the disk of this home has less room than is asked for. */
export function checkDisk(home: string, neededBytes: number, free = freeBytes(home)): void {
  if (free >= neededBytes + RESERVE_BYTES) return;
  throw new CliError(
    EXIT.unreachable,
    'StoreFull',
    `the disk of ${home} has ${byteSize(free)} free, this run may need ${byteSize(neededBytes)} and ${byteSize(RESERVE_BYTES)} are to stay: ` +
      'free some (`./bin/startrail gc`), set STARTRAIL_HOME to a larger disk, or ask for fewer iterations',
    { freeBytes: free, neededBytes },
  );
}

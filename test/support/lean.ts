/** The real Lean 3 of STARTRAIL_LEAN, or of the shared tools beside the checkout; without either the suites that need it skip. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Sets STARTRAIL_LEAN where it is not set. True: there is none. */
export function useLean(): boolean {
  if (process.env.STARTRAIL_LEAN) return false;
  const places = ['../../../shared/tools/lean3/bin/lean', '../../../../shared/tools/lean3/bin/lean'];
  const found = places.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((file) => existsSync(file));
  if (found === undefined) return true;
  process.env.STARTRAIL_LEAN = found;
  return false;
}

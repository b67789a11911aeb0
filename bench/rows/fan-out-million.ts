/** A simulated iteration of a million problems, whose histories must stay small. */
import { existsSync } from 'node:fs';
import { defineRow, NotAvailable } from '../row.ts';

export default defineRow({
  name: 'fan-out-million',
  about: 'an iteration of a million problems with the scripted engine',
  measure: async () => {
    const built = existsSync(new URL('../../workflows/fan-out.ts', import.meta.url));
    throw new NotAvailable(
      built
        ? 'workflows/fan-out.ts is there, its measurement is not.'
        : 'Stages do not fan out into child workflows yet.',
    );
  },
});

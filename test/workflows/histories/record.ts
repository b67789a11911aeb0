/**
 * `npm run histories`: runs every scenario on a real server and writes what it left, in the folder of today's version.
 *
 *   npm run histories                    all of them
 *   npm run histories -- nights          only this one, beside those that are there
 */
import process from 'node:process';
import { startServer, createBench } from '../../support/temporal.ts';
import type { Bench } from '../../support/temporal.ts';
import { clearVersion, currentVersion, recordHistories, writeHistories } from './archive.ts';
import type { Recorded } from './archive.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Open } from './scenarios.ts';

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => SCENARIOS[name] === undefined);
if (unknown.length > 0) {
  console.error(`histories: no scenario ${unknown.join(', ')}; there are ${Object.keys(SCENARIOS).join(', ')}`);
  process.exit(2);
}
const version = currentVersion();
const server = await startServer();
try {
  if (asked.length === 0) clearVersion(version);
  for (const [name, { roots, only, act }] of Object.entries(SCENARIOS)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    const benches: Bench[] = [];
    const open: Open = async (options) => {
      const bench = await createBench(server, options);
      benches.push(bench);
      return bench;
    };
    try {
      await act(server, open);
    } finally {
      for (const bench of benches) await bench.close();
    }
    const recorded: Recorded[] = [];
    for (const root of roots)
      recorded.push(
        ...(await recordHistories(
          server.client.workflow,
          root,
          (id) => (id === root || id.startsWith(`${root}/`)) && (only?.(id) ?? true),
        )),
      );
    const events = recorded.reduce((sum, { history }) => sum + history.events.length, 0);
    const bytes = writeHistories(version, name, recorded);
    console.log(`${version}/${name}: ${recorded.length} histories, ${events} events, ${bytes} bytes`);
  }
} finally {
  await server.teardown();
}

/** Where the command line starts; `bin/startrail` loads this in its own process. */
import { main } from './program.ts';

const code = await main(process.argv.slice(2));
// Not left to an empty event loop: a connection that lingers must not hold the prompt. Standard output is flushed first.
process.exitCode = code;
await new Promise<void>((done) => process.stdout.write('', () => done()));
process.exit(code);

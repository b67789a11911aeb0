/** Our half of the protocol in `bench/contestant.ts`: answers each line on standard input with a slice of work. */
import { createInterface } from 'node:readline';
import type { Facts, Slice } from '../contestant.ts';

const say = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`);

/** Serves until the input ends. What `work` throws is told and ends the process. */
export async function serve(
  prepare: () => Promise<{ facts: Facts; slice(n: number): Promise<Slice>; close(): Promise<void> }>,
) {
  // The library greets on standard output.
  console.log = console.info = (...words: unknown[]) => console.error(...words);
  try {
    const { facts, slice, close } = await prepare();
    say({ ready: facts });
    for await (const line of createInterface({ input: process.stdin })) {
      say(await slice((JSON.parse(line) as { slice: number }).slice));
    }
    await close();
  } catch (error) {
    say({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    process.exitCode = 1;
  }
}

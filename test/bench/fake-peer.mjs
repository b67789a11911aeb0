// Speaks the protocol of bench/contestant.ts, or breaks it: node fake-peer.mjs <name> <tokens> <seconds> [fault]
import { createInterface } from 'node:readline';
const [name, tokens, seconds, fault] = process.argv.slice(2);
const say = (message) => process.stdout.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
if (fault === 'dies') {
  console.error('no memory left');
  process.exit(3);
}
if (fault === 'chatters') say('loading weights…');
if (fault !== 'silent') say({ ready: { name, firstLoss: 1.5 } });
for await (const line of createInterface({ input: process.stdin })) {
  const { slice } = JSON.parse(line);
  console.error(`${name} slice ${slice}`);
  if (fault === 'refuses') {
    say({ error: 'llama_decode failed' });
    process.exit(1);
  }
  say(fault === 'idles' ? { tokens: 0, seconds: 1 } : { tokens: Number(tokens) + slice, seconds: Number(seconds) });
}

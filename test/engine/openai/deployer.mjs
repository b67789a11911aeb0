/**
 * A program that deploys, for tests: `deployer.mjs <url> <how> <path> <name>`. It gives the fake server the digest of the model's
 * file for its weights. `ends` is done then; `stays` goes on until it is told to end; `forgets` says that it is served and changes
 * nothing; `fails` and `mute` say nothing. Every start and every end of one that stays is told to the file beside the model's folder.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const [url, how, model, name] = process.argv.slice(2);
const say = (word) => appendFileSync(process.env.DEPLOYER_LOG, `${word} ${name}\n`);
say('starts');
if (how === 'fails') {
  console.error('no card is free');
  process.exit(3);
}
if (how === 'mute') process.exit(0);
const inside = path.join(model, 'model.safetensors');
const digest = createHash('sha256')
  .update(readFileSync(existsSync(inside) ? inside : model))
  .digest('hex');
if (how !== 'forgets') await fetch(url.replace(/v1$/, 'weights'), { method: 'POST', body: digest });
console.log('a word of a library');
console.log(JSON.stringify({ event: 'served', model: name }));
if (how === 'stays') {
  process.once('SIGTERM', () => {
    say('ends');
    process.exit(0);
  });
  setInterval(() => undefined, 1000);
}

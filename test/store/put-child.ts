/**
 * A process that writes until it is killed, or once: `put-child.ts <folder> loop|<text>|same`.
 * Prints "ready", then a line for each finished write.
 */
import { createLocalStore } from '../../store/local.ts';

const [folder, mode] = process.argv.slice(2) as [string, string];
const store = await createLocalStore(folder);
console.log('ready');
if (mode === 'loop') {
  for (let i = 0; ; i++) {
    const ref = await store.put(`${process.pid} ${i} `.repeat(30_000));
    await store.replaceName('runs/pointer', ref);
    await store.createName(`memo/${process.pid}-${i}`, ref);
    console.log(`${process.pid}-${i} ${ref.digest}`);
  }
} else {
  for (let i = 0; i < 150; i++) {
    const ref = await store.put(mode === 'same' ? `same ${i}` : `${mode} ${i}`);
    const { created } = await store.createName(`round/${i}`, { winner: process.pid });
    console.log(`${ref.digest} ${created}`);
  }
}

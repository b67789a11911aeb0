/**
 * The process a pretrained model is imported in: `node scripts/start.mjs engine/tfjs/pretrained/child.ts <source> <output>`; it
 * says to its parent how it went, and ends with it.
 */
import { toPortable } from '../../messages.ts';
import { importPretrained } from './import.ts';

const [source, output] = process.argv.slice(2) as [string, string];
process.on('disconnect', () => process.exit(1));
const said = await importPretrained(source, output).then(
  ({ weightsDigest }) => ({ result: { weightsDigest } }),
  (error: unknown) => ({ error: toPortable(error) }),
);
process.send?.(said, () => process.exit(0));

#!/usr/bin/env node
/**
 * Starts a part of the program: `node scripts/start.mjs workers/main.ts --role all`. The part sees its own name and words, as
 * if it had been started by itself.
 */
import path from 'node:path';
import { load } from './program/load.mjs';
import { projectFolder } from './setup/locate.mjs';

const [entry = 'cli/main.ts'] = process.argv.splice(2, 1);
process.argv[1] = path.join(projectFolder(), entry);
await load(entry);

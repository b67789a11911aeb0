/** `run --dry-run`: what a run would be, without starting one. */
import type { RunInput } from '../schemas/run.ts';
import { CliError, EXIT } from './exit.ts';
import type { Context } from './parts.ts';

export function dryRun(_context: Context, _input: RunInput): Promise<number> {
  return Promise.reject(new CliError(EXIT.input, 'NotAvailable', '--dry-run is not there yet'));
}

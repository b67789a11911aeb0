/**
 * `models fetch <owner/name>`: a pretrained model from the Hugging Face Hub, for `--model`.
 *
 *   models fetch HuggingFaceTB/SmolLM2-135M
 *   models fetch bartowski/SmolLM2-135M-Instruct-GGUF --file SmolLM2-135M-Instruct-Q8_0.gguf --as smollm2
 *
 * HF_ENDPOINT names another address than the public Hub's, HF_TOKEN a token; Ctrl-C keeps what is there for the next time.
 */
import { mkdir } from 'node:fs/promises';
import { HubError, openHub, type HubCode } from '../engine/hub/client.ts';
import { fetchModel } from '../engine/hub/fetch-model.ts';
import { keyIn, settings } from '../temporal.config.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';
import type { Context } from './parts.ts';
import { byteSize, percent } from './terminal.ts';

export interface FetchOptions {
  revision: string;
  file?: string;
  as?: string;
}

const EXITS: Partial<Record<HubCode, ExitCode>> = {
  HubUnreachable: EXIT.unreachable,
  DownloadDamaged: EXIT.failed,
  StoreFull: EXIT.unreachable,
};
/** A line of progress so often; on a terminal it is one line that changes. */
const [TOLD_MS, DRAWN_MS] = [10_000, 250];

export async function fetchPretrained(context: Context, name: string, options: FetchOptions): Promise<number> {
  const { terminal } = context;
  const progress = meter(context);
  try {
    await mkdir(settings.models, { recursive: true });
    const hub = openHub({ url: settings.hub, token: keyIn('HF_TOKEN') });
    const fetched = await fetchModel(hub, {
      ...{ name, revision: options.revision, file: options.file, as: options.as, models: settings.models },
      onPlan: ({ commit, license, files, bytes }) =>
        terminal.say(
          `${name} at ${commit.slice(0, 12)}: ${files} files, ${byteSize(bytes)}; licence: ${license ?? 'none named; look at its page'}`,
        ),
      onProgress: progress.draw,
    });
    progress.end();
    const { model, place, fresh } = fetched;
    terminal.say(
      fresh
        ? `${model} is in ${place}; name it with --model ${model}`
        : `${model} is in ${place} already; nothing to do`,
    );
    if (terminal.json) terminal.document({ ...fetched, source: name });
    return EXIT.ok;
  } catch (error) {
    progress.end();
    if (error instanceof HubError) throw new CliError(EXITS[error.code] ?? EXIT.input, error.code, error.sentence);
    throw error;
  }
}

function meter({ terminal }: Context) {
  let told = Date.now();
  let drawn = false;
  return {
    draw: (file: string, done: number, total: number) => {
      const now = Date.now();
      if (now - told < (terminal.live ? DRAWN_MS : TOLD_MS)) return;
      told = now;
      const line = `${file}: ${byteSize(done)} of ${byteSize(total)} (${percent(done / Math.max(1, total))})`;
      if (terminal.live) terminal.raw(`\r\u001b[K${line.slice(0, terminal.columns() - 1)}`);
      else terminal.say(line);
      drawn = terminal.live;
    },
    end: () => {
      if (drawn) terminal.raw('\n');
      drawn = false;
    },
  };
}

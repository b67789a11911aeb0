/**
 * `models fetch <owner/name>`: a pretrained model from the Hugging Face Hub, for `--model`; `datasets fetch <task>`: a task's files.
 *
 *   models fetch HuggingFaceTB/SmolLM2-135M
 *   models fetch bartowski/SmolLM2-135M-Instruct-GGUF --file SmolLM2-135M-Instruct-Q8_0.gguf --as smollm2
 *   datasets fetch gsm8k
 *
 * HF_ENDPOINT names another address than the public Hub's, HF_TOKEN a token; Ctrl-C keeps what is there for the next time.
 */
import { mkdir } from 'node:fs/promises';
import { HubError, openHub, type HubCode } from '../engine/hub/client.ts';
import { fetchDataset } from '../engine/hub/fetch-dataset.ts';
import type { FetchPlan } from '../engine/hub/fetching.ts';
import { fetchModel } from '../engine/hub/fetch-model.ts';
import { HUB } from '../tasks/hub.ts';
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
  return fetching(context, async (progress) => {
    await mkdir(settings.models, { recursive: true });
    const hub = openHub({ url: settings.hub, token: keyIn('HF_TOKEN') });
    const fetched = await fetchModel(hub, {
      ...{ name, revision: options.revision, file: options.file, as: options.as, models: settings.models },
      onPlan: planned(context, name),
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
  });
}

export async function fetchDatasetOf(context: Context, task: string, { revision }: FetchOptions): Promise<number> {
  const { terminal } = context;
  const wanted = Object.hasOwn(HUB, task) ? HUB[task] : undefined;
  if (!wanted)
    throw new CliError(
      EXIT.input,
      'InvalidInput',
      `there is no data set of '${task}' to fetch; there is one of ${Object.keys(HUB).join(', ')}; docs/howto/datasets.md says where others come from`,
    );
  return fetching(context, async (progress) => {
    await mkdir(settings.datasets, { recursive: true });
    const hub = openHub({ url: settings.hub, token: keyIn('HF_TOKEN'), type: 'dataset' });
    const fetched = await fetchDataset(hub, {
      ...{ ...wanted, revision, folder: settings.datasets },
      onPlan: planned(context, wanted.repo),
      onProgress: progress.draw,
    });
    progress.end();
    for (const { file, rows, fresh } of fetched.files)
      terminal.say(`${file}: ${rows} rows, in ${settings.datasets}${fresh ? '' : ' already'}`);
    if (terminal.json) terminal.document({ task, source: wanted.repo, ...fetched });
  });
}

const planned =
  ({ terminal }: Context, name: string) =>
  ({ commit, license, files, bytes }: FetchPlan) =>
    terminal.say(
      `${name} at ${commit.slice(0, 12)}: ${files} files, ${byteSize(bytes)}; licence: ${license ?? 'none named; look at its page'}`,
    );

/** Troubles with the Hub end the line of progress and become exit codes. */
async function fetching(
  context: Context,
  work: (progress: ReturnType<typeof meter>) => Promise<void>,
): Promise<number> {
  const progress = meter(context);
  try {
    await work(progress);
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

/**
 * Settings of this installation, typed. The only reader of the environment (besides set-up and the engine's own process).
 *
 * A run can name only what stands here (engines, task queues), never a command line, URL, key or path of its own.
 */
import path from 'node:path';
import { declaredEngines } from './schemas/engine-settings.ts';
import { STAGES, StageKind } from './schemas/stage.ts';
import type { StageRule } from './schemas/run.ts';

const env = process.env;
// Else the S3 client prints eight lines about Node 20 with every command.
if (env.STARTRAIL_STORE) env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
/** Two unless told otherwise, on any machine: the count is part of the fingerprint, and small models gain nothing from more. */
const threads = Number(env.STARTRAIL_ENGINE_THREADS ?? 2);

/** The value of a variable that an engine's settings name: a key, which is kept nowhere else. */
export const keyIn = (variable: string | undefined): string | undefined =>
  variable === undefined ? undefined : env[variable] || undefined;

/** Task queue of each worker role; workflows and small activities run on `control`. */
export const taskQueues = {
  control: 'startrail',
  sample: 'startrail-sample',
  verify: 'startrail-verify',
  train: 'startrail-train',
} as const;
export type Role = keyof typeof taskQueues;

/** One activity works on the engine, the next is at hand. */
const concurrency: Record<Role, number> = { control: 4, sample: 2, verify: 2, train: 1 };
for (const each of (env.STARTRAIL_CONCURRENCY ?? '').split(',').filter(Boolean)) {
  const [role = '', count] = each.split('=');
  concurrency[role as Role] = Number(count);
}

export type ServerSettings = { mode: 'embedded'; namespace: string } | RemoteServer;
export interface RemoteServer {
  mode: 'remote';
  /** Over what a profile says. */
  address?: string | undefined;
  namespace?: string | undefined;
  /** TEMPORAL_* variables: profile, file, address, TLS, API key; read by the SDK's envconfig. Absent = no profile at all. */
  environment?: Record<string, string>;
}
export interface ObserveSettings {
  searchAttributes: boolean;
  metrics: string | undefined;
  traces: string | undefined;
}
export interface CodecSettings {
  keys?: string | undefined;
  keysFile?: string | undefined;
  token?: string | undefined;
}

/**
 * A server is named by STARTRAIL_ADDRESS, or by what Temporal's own tools read: TEMPORAL_ADDRESS, TEMPORAL_PROFILE,
 * TEMPORAL_CONFIG_FILE. A temporal.toml that merely lies in its usual place is not enough: `npm start` must not run on a
 * cluster that nobody spoke of.
 */
function serverSettings(): ServerSettings {
  const address = env.STARTRAIL_ADDRESS || undefined;
  const named = env.TEMPORAL_ADDRESS || env.TEMPORAL_PROFILE || env.TEMPORAL_CONFIG_FILE;
  if (!address && !named) return { mode: 'embedded', namespace: 'default' };
  const isSet = ([name, value]: [string, string | undefined]) => name.startsWith('TEMPORAL_') && Boolean(value);
  const environment = Object.fromEntries(Object.entries(env).filter(isSet)) as Record<string, string>;
  return {
    mode: 'remote',
    address,
    namespace: env.STARTRAIL_NAMESPACE || undefined,
    ...(named && { environment: { ...environment, HOME: env.HOME ?? '', XDG_CONFIG_HOME: env.XDG_CONFIG_HOME ?? '' } }),
  };
}

export const settings = {
  /** Everything of this machine: server database, store, logs, lock. */
  home: path.resolve(env.STARTRAIL_HOME ?? '.startrail'),

  /** `embedded`: a server of our own on this machine, started when needed. Else one that is named: that, never another. */
  server: serverSettings(),

  /** Keys that encrypt what Temporal keeps of a run, and who may ask the codec server; docs/howto/encryption.md. */
  codec: {
    keys: env.STARTRAIL_CODEC_KEYS || undefined,
    keysFile: env.STARTRAIL_CODEC_KEYS_FILE || undefined,
    token: env.STARTRAIL_CODEC_TOKEN || undefined,
  } satisfies CodecSettings as CodecSettings,

  /** Artifacts, memo and run documents: a folder in the home, or with an s3:// URL a bucket that several machines share. */
  store: {
    url: env.STARTRAIL_STORE || undefined,
    region: env.STARTRAIL_S3_REGION ?? env.AWS_REGION ?? 'us-east-1',
    endpoint: env.STARTRAIL_S3_ENDPOINT || undefined,
  },

  /** Those of this machine, and servers and trainers that STARTRAIL_ENGINES declares; docs/howto/engines.md. */
  engines: declaredEngines(
    {
      tfjs: { kind: 'tfjs', threads, lanes: threads > 1 ? threads : 0, hungAfterMs: 60_000 },
      scripted: { kind: 'scripted', threads: 1, lanes: 0, hungAfterMs: 5_000 },
    },
    'STARTRAIL_ENGINES',
    env.STARTRAIL_ENGINES,
  ),
  defaultEngine: env.STARTRAIL_ENGINE ?? 'tfjs',

  /** Pretrained models that runs may name (`"model": "smollm2"`): GGUF files, folders of the Hub; docs/howto/pretrained-models.md. */
  models: path.resolve(env.STARTRAIL_MODELS ?? 'models'),

  /** Where `models fetch` asks; a token for models with conditions is read from HF_TOKEN when it is needed, and kept nowhere. */
  hub: env.HF_ENDPOINT || 'https://huggingface.co',

  /** Files and folders of problems that runs may name (`"problems": {"root": "inbox"}`); docs/howto/nightly.md. */
  dataRoots: { inbox: path.resolve(env.STARTRAIL_INBOX ?? 'problems') } as Record<string, string>,

  /** Folder of published data sets, for tasks that read some; docs/howto/datasets.md. */
  datasets: path.resolve(env.STARTRAIL_DATASETS ?? path.join(env.STARTRAIL_HOME ?? '.startrail', 'datasets')),

  /** A snapshot inside a fine-tune every so often: what a kill costs at most. The bytes that come out do not depend on it. */
  snapshotEveryMs: Number(env.STARTRAIL_SNAPSHOT_MS ?? 5_000),

  /** Activities of each role that a worker runs at once, e.g. STARTRAIL_CONCURRENCY=sample=4,verify=8. Workers check it. */
  concurrency,

  /** What is under way when a worker is told to end may take so long to be finished; after that others do it again. */
  shutdownGraceMs: Number(env.STARTRAIL_SHUTDOWN_GRACE_MS ?? 2_000),

  /** A shard is tried so often, with pauses of up to 10 s; then its iteration fails and the run waits for somebody. */
  attempts: Number(env.STARTRAIL_ATTEMPTS ?? 60),

  /** Shards of one stage under way at once: one works, the next is at hand. A cluster wants two for each of its workers. */
  shardsInFlight: Number(env.STARTRAIL_SHARDS_IN_FLIGHT ?? 2),

  /** A stage of more shards runs in fan-out children. At 64 the refs of six ports and an evaluation still fit one payload. */
  fanOutAbove: Number(env.STARTRAIL_FAN_OUT_ABOVE ?? 64),

  /** Who is told of runs that failed or wait and of models that were promoted: a JSON list of targets, schemas/notice.ts. */
  notify: (env.STARTRAIL_NOTIFY ?? []) as unknown,

  /** What may be seen of runs besides their documents; all of it is off by default. docs/howto/observe.md. */
  observe: {
    /** Runs write search attributes; a worker that starts makes sure that its namespace has them. */
    searchAttributes: ['1', 'on', 'true'].includes(env.STARTRAIL_SEARCH_ATTRIBUTES ?? ''),
    /** Port, or address and port, of a Prometheus endpoint of each worker. A bare port is on the loopback address. */
    metrics: env.STARTRAIL_METRICS || undefined,
    /** URL of an OpenTelemetry collector that takes OTLP over HTTP, e.g. http://127.0.0.1:4318. */
    traces: env.STARTRAIL_TRACES || undefined,
  } satisfies ObserveSettings,

  /** Name of a Temporal worker deployment: each run stays on the workflow code it was started with. docs/howto/upgrade.md. */
  deployment: env.STARTRAIL_DEPLOYMENT || undefined,

  log: { level: env.STARTRAIL_LOG ?? 'info' },
} as const;

/**
 * How each kind of stage is kept alive. Short heartbeats make a resume quick: a dead worker is noticed within 6 s. A killed
 * worker burns an attempt, so attempts are many; what can't succeed fails at once by its code.
 */
export const stageRules: Record<StageKind, StageRule> = Object.fromEntries(
  StageKind.options.map((kind) => [
    kind,
    {
      taskQueue: taskQueues[STAGES[kind].queue],
      startToCloseMs: 24 * 3_600_000,
      heartbeatMs: 6_000,
      maximumAttempts: settings.attempts,
    },
  ]),
) as Record<StageKind, StageRule>;

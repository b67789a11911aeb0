/**
 * EngineSettings: an engine as an installation declares it. Runs name engines and never bring a URL, a key or a command.
 *
 *   STARTRAIL_ENGINES='{"vllm":{"kind":"openai","baseUrl":"http://gpu-1:8000/v1","model":"base","apiKeyVariable":"VLLM_KEY"}}'
 *
 * A key is never part of the settings: they name the environment variable that holds it.
 */
import { z } from 'zod';
import { Price } from './budget.ts';

/** What it costs, for budgets in money, e.g. { perMillionSampled: 0.4, currency: 'EUR' }; absent = no price. */
const price = Price.optional();

/** An engine in processes of this machine. */
const Local = z.strictObject({
  kind: z.enum(['tfjs', 'scripted']),
  /** Threads of the process that trains; part of the fingerprint. */
  threads: z.int().min(1),
  /** Processes of one thread each that rows are dealt to for sampling; 0 = the process that trains samples too. */
  lanes: z.int().min(0),
  /** An engine without progress for so long is ended and the attempt retried. */
  hungAfterMs: z.int().min(1),
  price,
});
export type LocalSettings = z.infer<typeof Local>;

const serverUrl = z.url({ protocol: /^https?$/ }).refine((url) => {
  const { username, password, search, hash } = new URL(url);
  return username + password + search + hash === '';
}, 'expected a URL without user, password, query and fragment; a key stands in the variable that apiKeyVariable names');

/** How a server comes to serve a checkpoint; docs/howto/engines.md. */
const Deploy = z.discriminatedUnion('kind', [
  /** Not at all: somebody sees to it, and the canary tells whether he did. */
  z.strictObject({ kind: z.literal('fixed') }),
  /** By a program, started without a shell; the exported model's path and a name for it come behind its arguments. */
  z.strictObject({
    kind: z.literal('command'),
    command: z.array(z.string().min(1)).min(1),
    /** A folder as transformers loads it, or a file as llama.cpp does. */
    format: z.enum(['folder', 'gguf']).default('folder'),
    /** Where models are exported to, as worker and server see it; absent = the worker's home. */
    folder: z.string().min(1).optional(),
    /** From its start until it says that the model is served. */
    withinMs: z.int().min(1).max(86_400_000).default(600_000),
  }),
  /** vLLM: adapters are loaded beside the base, which is served by the name that `model` says. */
  z.strictObject({ kind: z.literal('adapter'), folder: z.string().min(1).optional() }),
]);
export type DeploySettings = z.infer<typeof Deploy>;

/** Any server that speaks OpenAI's HTTP interface: vLLM, llama.cpp, a hosted one. Samples; does not train. */
const OpenAi = z.strictObject({
  kind: z.literal('openai'),
  /** Up to and with `/v1`. Its host is not part of the fingerprint: the same model elsewhere goes on with the run. */
  baseUrl: serverUrl,
  /** Name the server gives the model; absent = the first of its /models. */
  model: z.string().min(1).optional(),
  /** Environment variable with the key; absent = none is sent. */
  apiKeyVariable: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the name of an environment variable, never the key itself')
    .optional(),
  /** Requests under way at once. */
  concurrency: z.int().min(1).max(4_096).default(8),
  /** For one request, from its first byte to the last. */
  timeoutMs: z.int().min(1).max(290_000).default(120_000),
  /** Of one request, the first included. */
  tries: z.int().min(1).max(100).default(5),
  /** Asks /chat/completions with the prompt as the user's message, instead of /completions. */
  chat: z.boolean().default(false),
  deploy: Deploy.default({ kind: 'fixed' }),
  /** Before each request a fixed prompt shows which checkpoint is served; false = it is not asked (no log-probabilities). */
  canary: z.boolean().default(true),
  price,
});
export type OpenAiSettings = z.infer<typeof OpenAi>;

/** A program that trains, by the contract of engine/command/contract.ts. Does not sample. */
const Command = z.strictObject({
  kind: z.literal('command'),
  /** Program and arguments, started without a shell; `describe` or `train <file>` comes behind them. */
  command: z.array(z.string().min(1)).min(1),
  /** A program that says nothing for so long is ended and the attempt retried. */
  hungAfterMs: z.int().min(1).default(600_000),
  price,
});
export type CommandSettings = z.infer<typeof Command>;

/** Two declared engines as one: where samples come from and where training goes. */
const Split = z.strictObject({ kind: z.literal('split'), sample: z.string(), train: z.string(), price });

export const EngineSettings = z.discriminatedUnion('kind', [Local, OpenAi, Command, Split]);
export type EngineSettings = z.infer<typeof EngineSettings>;

const Declared = z.record(z.string(), EngineSettings);
const NAME = /^[a-z][a-z0-9-]*$/;

/**
 * The engines of an installation: its own and those that a variable declares as JSON, which may take an own one's place.
 * Throws what is wrong with it, with the code InvalidInput; quotes nothing of it, for somebody may have put a key there.
 */
export function declaredEngines(
  own: Record<string, EngineSettings>,
  variable: string,
  text: string | undefined,
): Record<string, EngineSettings> {
  const invalid = (...faults: string[]) => {
    const example = '{"vllm":{"kind":"openai","baseUrl":"http://127.0.0.1:8000/v1"}}';
    return Object.assign(new Error(`${variable}: ${faults.join('; ')}; expected e.g. ${example}`), {
      code: 'InvalidInput',
    });
  };
  if (!text) return own;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('it is no JSON');
  }
  const { data, error } = Declared.safeParse(value);
  if (error) throw invalid(...error.issues.map(({ path, message }) => `${path.join('.') || '(root)'}: ${message}`));
  const engines = { ...own, ...data };
  const names = Object.keys(data).filter((name) => !NAME.test(name));
  const faults = names.map((name) => `${name}: a name is of small letters, digits and dashes`);
  const halves = Object.entries(engines).flatMap(([name, engine]) =>
    engine.kind !== 'split'
      ? []
      : (['sample', 'train'] as const).flatMap((part) => {
          const kind = engines[engine[part]]?.kind;
          if (kind !== undefined && kind !== 'split') return [];
          const found =
            kind === undefined ? `there is no engine ${engine[part]}` : `${engine[part]} is a split engine itself`;
          return [`${name}.${part}: ${found}`];
        }),
  );
  if (faults.length + halves.length > 0) throw invalid(...faults, ...halves);
  return engines;
}

/**
 * Tokens per second of generation at the reference shape (d=64, 3 layers, 4 heads, dFF 256, ReLU, vocabulary 20).
 *
 *   STARTRAIL_ENGINE_THREADS=2 node --import tsx bench/generate.ts [rows] [repetitions] [lanes]
 *
 * Without lanes in this process; with them in so many child processes of STARTRAIL_ENGINE_THREADS each.
 *
 * Prompts are addition problems of 1–5 digits; lengths of completions are those of the scratchpad, forced by maxNewTokens
 * on a random model that never ends by itself, so that the count of tokens is known.
 */
import { createHostedEngine } from '../engine/host.ts';
import { createLanedEngine } from '../engine/lanes.ts';
import { createTfjsEngine } from '../engine/tfjs/engine.ts';
import { additionPrompt, modelFolder, randomModel, seedOf } from '../test/engine/models.ts';

const rows = Number(process.argv[2] ?? 2000);
const repetitions = Number(process.argv[3] ?? 5);
const lanes = Number(process.argv[4] ?? 0);
const threads = Number(process.env.STARTRAIL_ENGINE_THREADS ?? 2);
const model = randomModel();
// A row of zeros for the end token and a bias by the others' spread: it is never the largest.
const embedding = model.tensors.get('model.embed_tokens.weight')!;
embedding.data.fill(0, model.tokenizer.end * model.config.dModel, (model.tokenizer.end + 1) * model.config.dModel);
const files = modelFolder();
const checkpoint = await files.save(model);
const lane = () => createHostedEngine({ entry: 'tfjs', threads, hungAfterMs: 60_000 });
const sampling = Array.from({ length: lanes }, lane);
const engine = lanes === 0 ? createTfjsEngine() : createLanedEngine({ sampling, training: sampling[0]! });
const request = (temperature: number) => ({
  model: checkpoint,
  rows: Array.from({ length: rows }, (_, n) => ({
    prompt: additionPrompt(n),
    seed: seedOf(n),
    maxNewTokens: 15 + 15 * (n % 5) + (n % 7),
  })),
  sampling: { temperature, topP: 1 },
});
await engine.sample(request(0));
for (const temperature of [0, 1]) {
  const rates: number[] = [];
  const perCpuSecond: number[] = [];
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const started = performance.now();
    const before = process.cpuUsage();
    const result = await engine.sample(request(temperature));
    const tokens = result.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
    const { user, system } = process.cpuUsage(before);
    perCpuSecond.push((tokens / (user + system)) * 1e6);
    rates.push((tokens / (performance.now() - started)) * 1000);
  }
  rates.sort((a, b) => a - b);
  perCpuSecond.sort((a, b) => a - b);
  const median = rates[Math.floor(rates.length / 2)]!;
  // On a busy machine the clock measures the neighbours; the time on the processor does so less. Lanes have their own.
  const cpu = lanes === 0 ? `, ${Math.round(perCpuSecond[Math.floor(repetitions / 2)]!)} a CPU-second` : '';
  console.log(
    `lanes ${lanes}  threads ${threads}  rows ${rows}  temperature ${temperature}  ${Math.round(median)} tokens/s ` +
      `(${Math.round(rates[0]!)}–${Math.round(rates.at(-1)!)})${cpu}`,
  );
}
await engine.close();
files.clean();

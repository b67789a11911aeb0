/**
 * A pretrained model for tests, and an engine that answers `three-sum` with it: in so many prompts of 100, by what stood before the
 * question and whether the model was trained. Every request is kept.
 */
import type { Dependencies } from '../../activities/dependencies.ts';
import type { Engine, SampleRequest, TrainRequest } from '../../engine/engine.ts';
import { createScriptedEngine } from '../../engine/scripted.ts';
import { weightsDigest, writeSafetensors } from '../../engine/tfjs/safetensors.ts';
import { DecoderConfig } from '../../schemas/checkpoint.ts';
import { digest } from '../store/stage-inputs.ts';

const config = DecoderConfig.parse({
  ...{ vocabSize: 20, dModel: 8, layers: 1, heads: 1, dFF: 8, activation: 'relu', context: 4096 },
  ...{ ropeTheta: 10_000, normEpsilon: 1e-5, tiedEmbeddings: true },
});

export const ladderModel: NonNullable<Dependencies['models']> = {
  names: ['tiny'],
  inspect: () => Promise.resolve({ files: digest('tiny'), config }),
  async import(_name, outputPath) {
    const weights = { name: 'tiny', shape: [1], data: Float32Array.from([1]) };
    await writeSafetensors(outputPath, { config: JSON.stringify(config) }, [weights]);
    return { weightsDigest: weightsDigest([weights]) };
  },
};

export type Skill = (prefix: string, trained: boolean) => number;

const hash = (text: string) => [...text].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) >>> 0, 7);

export function ladderEngine(skill: Skill): {
  engine: Engine;
  asked: SampleRequest[];
  trainings: TrainRequest[];
  trainedOn: string[];
} {
  const asked: SampleRequest[] = [];
  const trainings: TrainRequest[] = [];
  const trainedOn: string[] = [];
  let base = '';
  let prefix = '';
  const inner = createScriptedEngine({
    answer: (prompt, _row, model) => {
      base ||= model.digest;
      const [a = 0, b = 0, c = 0] = /What is (\d+) \+ (\d+) \+ (\d+)/.exec(prompt)!.slice(1).map(Number);
      const right = hash(prompt) % 100 < skill(prefix, model.digest !== base);
      return ` ${a} + ${b} = ${a + b}. The answer is ${a + b + c + (right ? 0 : 1)}.`;
    },
  });
  const engine: Engine = {
    ...inner,
    async sample(request, control) {
      asked.push(request);
      prefix = request.prefix ?? '';
      return inner.sample(request, control);
    },
    async train(request, control) {
      const { readFile } = await import('node:fs/promises');
      trainings.push(request);
      trainedOn.push(await readFile(request.dataPath, 'utf8'));
      return inner.train(request, control);
    },
  };
  return { engine, asked, trainings, trainedOn };
}

/**
 * import: a model that workers declare becomes a checkpoint of this store, once; every later run of the same files finds it in
 * the memo.
 *
 * What the run was started with is the files' digest. A worker that has other files under the name refuses, retryably, as it
 * does with another engine: somewhere the right ones lie.
 */
import path from 'node:path';
import { workNameOf } from '../store/memo-key.ts';
import type { Dependencies } from './dependencies.ts';
import { failure } from './failures.ts';
import { stageActivity } from './shard.ts';

export const importModel = (deps: Dependencies) =>
  stageActivity<'import'>(
    deps,
    async ({ input, control, busy }) => {
      const { from } = input.inputs;
      if (!('pretrained' in from))
        throw failure('RecipeInvalid', 'import takes a pretrained model; give one with model');
      const models = deps.models;
      const found = models?.names.includes(from.pretrained) ? (await models.inspect(from.pretrained)).files : undefined;
      if (models === undefined || found !== from.files)
        throw failure(
          'FingerprintMismatch',
          `model ${from.pretrained} is ${found ?? 'not'} on this worker, the run was started with ${from.files}; put those files there, or start a new run`,
        );
      const folder = await deps.store.scratch(workNameOf(input));
      const outputPath = path.join(folder, `model-${Date.now()}.safetensors`);
      const { weightsDigest } = await busy('engine', () => models.import(from.pretrained, outputPath, control));
      const checkpoint = await deps.store.adopt(outputPath);
      return { outputs: { model: { checkpoint, weightsDigest } }, tokens: 0, partial: false };
    },
    (input) => deps.store.dropScratch(workNameOf(input)),
  );

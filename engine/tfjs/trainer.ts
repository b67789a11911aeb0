/**
 * Fine-tuning: `train` of the Engine.
 *
 *   const { weightsDigest, finalLoss } = await train(request, { signal, onProgress });
 *
 * Deterministic: the same request gives the same bytes at one fingerprint, killed and resumed or not, with snapshots or
 * without. The loss is Σ cross-entropy over the completion tokens of an optimizer batch / their number; with `preference`, Σ over
 * its pairs / theirs (preference.ts), with `policy` over its completions / theirs (policy.ts), with `rewardModel` over the labels of
 * its rows / theirs (reward-model.ts), with `quiet` that of quiet.ts.
 */
import { setImmediate } from 'node:timers/promises';
import { EngineError } from '../engine.ts';
import type { EngineControl, TrainRequest, TrainResult } from '../engine.ts';
import { BatchOrder, countOf } from './batches.ts';
import type { Batch } from './batches.ts';
import { adapterLayout, frozenBlocks, initialAdapter } from './adapter.ts';
import type { FrozenBlock } from './adapter.ts';
import { writeAdapter } from './adapter-file.ts';
import { flatten, parameterLayout, unflatten } from './layout.ts';
import type { Layout } from './layout.ts';
import { weightsDigest, writeCheckpoint } from './safetensors.ts';
import type { Checkpoint, NamedTensor } from './safetensors.ts';
import { drawn, isThinking, withThoughts } from './quiet.ts';
import { Thinker } from './quiet-thinker.ts';
import { withRewardHead } from './reward-model.ts';
import { learningRateAt } from './schedule.ts';
import { SnapshotFolder } from './snapshot.ts';
import type { Snapshot } from './snapshot.ts';
import { startingPoint } from './start.ts';
import { TrainStep } from './step.ts';
import { aimOf, openData } from './training-data.ts';

const PROGRESS_EVERY_MS = 400;

/** What of the model learns, and how it is written down. */
interface Learned {
  layout: Layout;
  initial: Map<string, NamedTensor>;
  frozen(): FrozenBlock[];
  /** Gives the digest of the weights. */
  write(tensors: Map<string, NamedTensor>): Promise<string>;
}

function learnedOf(request: TrainRequest, model: Checkpoint): Learned {
  const { start, adapter: options, seed, outputPath } = request;
  const reward = request.rewardModel === true;
  if (options === undefined) {
    const headed = reward ? withRewardHead(model) : model;
    const learning = request.quiet ? withThoughts(headed, request.quiet, seed) : headed;
    return {
      layout: parameterLayout(learning.config),
      initial: learning.tensors,
      frozen: () => [],
      async write(tensors) {
        await writeCheckpoint(outputPath, { ...learning, tensors });
        return weightsDigest(tensors.values());
      },
    };
  }
  if (request.quiet)
    throw new EngineError('CheckpointInvalid', 'thoughts are learnt by every weight; leave adapter out');
  if (start.kind === 'fresh' || start.checkpoint.base !== undefined) {
    const what = start.kind === 'fresh' ? 'fresh weights' : 'another adapter';
    throw new EngineError(
      'CheckpointInvalid',
      `an adapter rests on a whole checkpoint, not on ${what}; start from the base`,
    );
  }
  const layout = adapterLayout(model.config, options, reward);
  return {
    layout,
    initial: initialAdapter(model.config, options, seed, reward),
    frozen: () => frozenBlocks(layout, model.tensors),
    write: (tensors) => writeAdapter(outputPath, { options, base: model, tensors }),
  };
}

/**
 * Trains and writes a checkpoint to `request.outputPath`.
 * @throws EngineError TrainingDiverged, TrainingDataInvalid, TextNotInVocabulary, CheckpointInvalid; the signal's reason.
 */
export async function train(request: TrainRequest, control: EngineControl = {}): Promise<TrainResult> {
  const { schedule, seed } = request;
  control.signal?.throwIfAborted();
  const model = await startingPoint(request);
  const learned = learnedOf(request, model);
  if (schedule.steps === 0) {
    const digest = await learned.write(learned.initial);
    return { weightsDigest: digest, steps: 0, resumedFrom: 0, finalLoss: null, learningRates: [], tokens: 0 };
  }

  const data = await openData(request, model, control);
  const order = new BatchOrder(data.rows, schedule.batchSize * (schedule.accumulate ?? 1), seed);
  const { layout } = learned;
  const folder = request.resume === undefined ? null : new SnapshotFolder(request.resume);
  const resumed = (await folder?.newest(layout.size, schedule.steps)) ?? null;
  const position: Snapshot = resumed ?? {
    weights: flatten(layout, learned.initial),
    first: new Float32Array(layout.size),
    second: new Float32Array(layout.size),
    progress: { step: 0, learningRates: [], windowLoss: 0, windowTokens: 0 },
  };
  const { progress } = position;
  const resumedFrom = progress.step;
  // The last tenth of the steps, at least one.
  const windowStart = schedule.steps - Math.max(1, Math.floor(schedule.steps / 10));

  const step = new TrainStep(layout, schedule, position, learned.frozen(), undefined, aimOf(request));
  const thinker = request.quiet && new Thinker(layout.config);
  let tokens = 0;
  try {
    let reportedAt = performance.now();
    let reportedTokens = 0;
    let savedAt = reportedAt;
    control.onProgress?.({ done: progress.step, total: schedule.steps, tokensPerSecond: 0 });
    while (progress.step < schedule.steps) {
      // Messages, heartbeats and the signal get their turn.
      await setImmediate();
      control.signal?.throwIfAborted();
      const taken = order.at(progress.step);
      const batches: Batch[] = [];
      for (let at = 0; at < taken.length; at += schedule.batchSize)
        batches.push(data.assemble(taken.slice(at, at + schedule.batchSize)));
      const predicted = batches.reduce((sum, batch) => sum + countOf(batch), 0);
      const learningRate = learningRateAt(schedule, progress.step);
      for (const [n, batch] of batches.entries())
        if (isThinking(batch)) thinker?.think(batch, step.weights, drawn(seed, progress.step, n));
      const loss = step.run(batches, progress.step, learningRate);
      if (!Number.isFinite(loss)) {
        const mean = loss / predicted;
        throw new EngineError(
          'TrainingDiverged',
          `loss ${mean} at step ${progress.step} of ${schedule.steps}; lower learningRate (${schedule.learningRate}) or raise warmupSteps`,
        );
      }
      if (progress.step >= windowStart) {
        progress.windowLoss += loss;
        progress.windowTokens += predicted;
      }
      progress.learningRates.push(learningRate);
      progress.step++;
      for (const batch of batches) tokens += batch.tokens;

      const now = performance.now();
      if (now - reportedAt >= PROGRESS_EVERY_MS || progress.step === schedule.steps) {
        const tokensPerSecond = ((tokens - reportedTokens) / (now - reportedAt)) * 1000;
        control.onProgress?.({ done: progress.step, total: schedule.steps, tokensPerSecond });
        [reportedAt, reportedTokens] = [now, tokens];
      }
      if (folder !== null && now - savedAt >= folder.resume.everyMs && progress.step < schedule.steps) {
        await folder.write({ ...step.read(), progress });
        savedAt = performance.now();
      }
    }
    const { weights } = step.read();
    // The last update may have gone wrong although the loss before it was fine.
    if (!weights.every(Number.isFinite)) {
      throw new EngineError(
        'TrainingDiverged',
        `weights are not finite after step ${schedule.steps}; lower learningRate`,
      );
    }
    const digest = await learned.write(unflatten(layout, weights));
    await folder?.clear();
    return {
      weightsDigest: digest,
      steps: schedule.steps,
      resumedFrom,
      finalLoss: progress.windowTokens === 0 ? null : progress.windowLoss / progress.windowTokens,
      learningRates: progress.learningRates,
      tokens,
    };
  } finally {
    thinker?.dispose();
    step.dispose();
  }
}

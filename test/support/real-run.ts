/**
 * A run with the real engine that takes seconds: small, yet with every outcome of a free and a hinted sample in its ledgers, and
 * with snapshots inside each fine-tune.
 */
export const REAL_RUN = {
  'parameters.digits': 1,
  'model.dModel': 32,
  'model.layers': 1,
  'model.heads': 2,
  'model.dFF': 64,
  'model.context': 64,
  'base.steps.first': 600,
  'base.learningRate': 0.001,
  'base.warmupSteps': 20,
  'base.batchSize': 16,
  'stages.batch.with.count': 60,
  'stages.next.with.steps.first': 800,
  'stages.next.with.learningRate': 0.0005,
  'stages.next.with.warmupSteps': 20,
  'stages.next.with.batchSize': 16,
};

/** As words of a command line. */
export const setWords = (settings: Record<string, number>): string[] =>
  Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);

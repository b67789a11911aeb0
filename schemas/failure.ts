/**
 * Failure codes: the one string that survives Temporal (`ApplicationFailure.type`). Everything else in a failure is for people.
 *
 * `retryable: false` fails the stage at once; the others are retried by the stage's rule. A wrong answer is not in this list.
 */
export const FAILURES = {
  InvalidInput: { retryable: false, means: 'the run was asked for something that cannot be; each field is named' },
  RecipeInvalid: { retryable: false, means: 'the graph of a recipe does not fit together' },
  JudgingTrouble: {
    retryable: false,
    means: 'more judgements are missing than judging.atMostUnjudged allows; nothing is trained on what is left',
  },
  ArtifactDamaged: {
    retryable: false,
    means: 'bytes do not match their digest; the shard that made them is run again',
  },
  ArtifactMissing: {
    retryable: false,
    means: 'a file that is referred to is gone; the shard that made it is run again',
  },
  OutputDiffers: {
    retryable: false,
    means: 'a shard that was run again gave other bytes: the engine is not deterministic',
  },
  FingerprintMismatch: { retryable: true, means: 'this worker would give other bits than the run was started with' },
  ImplementationChanged: { retryable: true, means: 'the task or its verifier changed under an open run' },
  EngineDied: { retryable: true, means: 'the engine ended in the middle of a request' },
  EngineHung: { retryable: true, means: 'the engine made no progress and was ended' },
  EngineServesOtherModel: { retryable: true, means: 'a server serves another checkpoint than the one it was to serve' },
  EngineUnavailable: { retryable: true, means: 'the engine could not be loaded' },
  ToolUnavailable: { retryable: true, means: 'a tool that a text called did not run' },
  ChatTemplateMissing: { retryable: false, means: 'a prompt form needs a chat template and the model has none' },
  CheckpointInvalid: { retryable: false, means: 'a checkpoint does not fit the engine' },
  TextNotInVocabulary: { retryable: false, means: 'a prompt or rationale holds text the tokenizer cannot express' },
  TrainingDataInvalid: { retryable: false, means: 'a training row cannot be trained on' },
  TrainingDiverged: { retryable: false, means: 'loss or gradient is not finite' },
  StoreReadOnly: { retryable: true, means: 'the store cannot be written' },
  StoreFull: { retryable: true, means: 'no space left for artifacts' },
  StoreUnreachable: { retryable: true, means: 'the store did not answer' },
  LedgerBroken: { retryable: false, means: 'the ledger does not add up: a defect of this program' },
  PayloadsTooLarge: { retryable: false, means: 'a stage tried to send more than Temporal carries' },
} as const;
export type FailureCode = keyof typeof FAILURES;
export const NON_RETRYABLE = Object.entries(FAILURES)
  .filter(([, failure]) => !failure.retryable)
  .map(([code]) => code);

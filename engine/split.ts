/**
 * Two declared engines as one: the first samples, the second trains (and scores, where it can).
 *
 *   STARTRAIL_ENGINES='{"cluster":{"kind":"split","sample":"vllm","train":"tfjs"}, "vllm":{…}}'
 *
 * Both stay whose they are: closing the pair closes neither.
 */
import type { Engine } from './engine.ts';

export function createSplitEngine({ sampling, training }: { sampling: Engine; training: Engine }): Engine {
  const scoring = training.score ? training : sampling;
  return {
    ...(training.learns && { learns: training.learns }),
    async describe() {
      const [samples, trains] = await Promise.all([sampling.describe(), training.describe()]);
      return {
        name: 'split',
        fingerprint: `samples: ${samples.fingerprint}; trains: ${trains.fingerprint}`,
        deterministic: samples.deterministic && trains.deterministic,
      };
    },
    sample: (request, control) => sampling.sample(request, control),
    train: (request, control) => training.train(request, control),
    ...(scoring.score && { score: scoring.score.bind(scoring) }),
    ...(training.costs && { costs: training.costs.bind(training) }),
    // A text is learnt without its tools' words only where both know of them.
    ...(sampling.tools && training.tools && { tools: sampling.tools.filter((tool) => training.tools?.includes(tool)) }),
    close: () => Promise.resolve(),
  };
}

/**
 * Several engines as one: the rows of a request (to sample, to score) are dealt to lanes, training goes to an engine of its own.
 *
 *   const lane = () => createHostedEngine({ entry: 'tfjs', threads: 1, hungAfterMs });
 *   createLanedEngine({ sampling: [lane(), lane()], training: createHostedEngine({ entry: 'tfjs', threads: 2, hungAfterMs }) });
 *
 * A step of a small model is a hundred short kernels, which a second thread hardly speeds up, while a second process doubles
 * them. A row's tokens depend on that row alone, so neither the count of lanes nor the dealing can show in the result.
 */
import type { Engine, EngineControl, EngineProgress, ScoreRequest } from './engine.ts';

/** Rows a lane takes at a time: two full batches of the tfjs engine. */
const PIECE = 256;
/** Fewer rows than this are not worth another lane. */
const LEAST = 16;

/** When the lanes load: a start, which needs the description at once, has the processor to itself until then. */
const LANES_LOAD_MS = 1_000;

/**
 * The lanes must be engines of the kind that trains, of one thread each: the engine that trains describes all of them, so
 * that a start waits for one library to load and not for two. Throws what the lanes throw; the first failure cancels the
 * other pieces.
 */
export function createLanedEngine({ sampling, training }: { sampling: Engine[]; training: Engine }): Engine {
  const [first] = sampling;
  if (first === undefined) throw new RangeError('a laned engine needs at least one lane');
  /** Pieces under way by lane, so that two requests at once spread out too. */
  const busy = sampling.map(() => 0);
  let loading: NodeJS.Timeout | undefined;
  let closed = false;

  /** The results of all rows, in order; `ask` has a lane do the rows of one piece. */
  const spread = async <R>(
    lengths: [first: number, then: number][],
    control: EngineControl,
    ask: (lane: Engine, taken: number[], own: EngineControl) => Promise<R[]>,
  ): Promise<R[]> => {
    const pieces = deal(lengths, sampling.length);
    if (pieces.length === 0) return ask(first, [], control);
    const stop = new AbortController();
    const signal = control.signal === undefined ? stop.signal : AbortSignal.any([control.signal, stop.signal]);
    const totals = new Totals(lengths.length, control.onProgress);
    const results = new Array<R>(lengths.length);
    const work = async (lane: number): Promise<void> => {
      for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop()) {
        const taken = piece;
        busy[lane]!++;
        try {
          const onProgress = (progress: EngineProgress) => totals.hear(lane, progress);
          const part = await ask(sampling[lane]!, taken, { signal, onProgress });
          for (const [n, result] of part.entries()) results[taken[n]!] = result;
          totals.finish(lane, taken.length);
        } finally {
          busy[lane]!--;
        }
      }
    };
    const idleFirst = Array.from(sampling.keys()).sort((a, b) => busy[a]! - busy[b]!);
    const workers = idleFirst.slice(0, pieces.length).map((lane) => work(lane));
    try {
      await Promise.all(workers);
    } catch (error) {
      pieces.length = 0;
      stop.abort(error);
      await Promise.allSettled(workers);
      throw error;
    }
    return results;
  };

  return {
    ...(training.learns && { learns: training.learns }),

    async describe() {
      const description = await training.describe();
      if (!closed)
        loading ??= setTimeout(() => {
          for (const lane of sampling) lane.describe().catch(() => undefined); // whoever samples hears of it
        }, LANES_LOAD_MS).unref();
      return { ...description, fingerprint: `${description.fingerprint}; sampling in processes of one thread` };
    },

    sample: (request, control = {}) =>
      spread(
        request.rows.map(({ prompt, maxNewTokens }) => [prompt.length, maxNewTokens]),
        control,
        (lane, taken, own) => lane.sample({ ...request, rows: taken.map((index) => request.rows[index]!) }, own),
      ),

    ...(sampling.every((lane) => lane.score) && {
      score: (request: ScoreRequest, control: EngineControl = {}) =>
        spread(
          request.rows.map(({ prompt, completion }) => [prompt.length + completion.length, 0]),
          control,
          (lane, taken, own) => lane.score!({ ...request, rows: taken.map((index) => request.rows[index]!) }, own),
        ),
    }),

    // Whole: what is shuffled among the rows is so among all of them.
    ...(training.costs && { costs: training.costs.bind(training) }),

    ...(training.tools && { tools: training.tools }),

    train: (request, control) => training.train(request, control),

    async close() {
      closed = true;
      clearTimeout(loading);
      await Promise.all([...new Set([...sampling, training])].map((engine) => engine.close()));
    },
  };
}

/**
 * Indices of the rows in pieces. A large request: alike rows together, the longest last (they are taken first). One that
 * every lane takes a single piece of: dealt like cards, so that all end at about the same time.
 */
function deal(lengths: [first: number, then: number][], lanes: number): number[][] {
  const order = Array.from(lengths.keys()).sort(
    (a, b) => lengths[a]![0] - lengths[b]![0] || lengths[a]![1] - lengths[b]![1] || a - b,
  );
  if (order.length <= PIECE * lanes) {
    const hands = Math.min(lanes, Math.ceil(order.length / LEAST));
    return Array.from({ length: hands }, (_, hand) => order.filter((_, n) => n % hands === hand));
  }
  const pieces: number[][] = [];
  for (let at = 0; at < order.length; at += PIECE) pieces.push(order.slice(at, at + PIECE));
  return pieces;
}

/** Progress of all lanes as one. */
class Totals {
  #finished = 0;
  readonly #lanes = new Map<number, EngineProgress>();
  readonly #total: number;
  readonly #onProgress: EngineControl['onProgress'];

  constructor(total: number, onProgress: EngineControl['onProgress']) {
    this.#total = total;
    this.#onProgress = onProgress;
  }

  hear(lane: number, progress: EngineProgress): void {
    this.#lanes.set(lane, progress);
    let done = this.#finished;
    let tokensPerSecond = 0;
    for (const part of this.#lanes.values()) {
      done += part.done;
      tokensPerSecond += part.tokensPerSecond;
    }
    this.#onProgress?.({ done, total: this.#total, tokensPerSecond });
  }

  finish(lane: number, rows: number): void {
    this.#finished += rows;
    // Its last rate stays in the sum until the next piece speaks.
    const rate = this.#lanes.get(lane)?.tokensPerSecond ?? 0;
    this.hear(lane, { done: 0, total: 0, tokensPerSecond: rate });
  }
}

/**
 * Which faults befall which run: a pure function of the seed.
 *
 *   plansOf(20260401, 200)   // runs with three to five faults each, until there are 200
 *
 * Faults are dealt like cards: each kind once before any comes again, so 200 hold each kind seven times or more. What a fault
 * needs (a bucket, a codec server, a small disk) its run has.
 */
import { randomNumbers } from '../support/random-numbers.ts';

export const KINDS = [
  ...(['worker', 'engine', 'server', 'owner', 'everything', 'S3 server', 'codec server'] as const).map(
    (what) => `kill ${what}` as const,
  ),
  ...(['worker', 'one of two workers', 'engine', 'server', 'everything', 'S3 server', 'codec server'] as const).map(
    (what) => `freeze ${what}` as const,
  ),
  ...(['shortly', 'until it waits', 'for real'] as const).map((how) => `disk full ${how}` as const),
  ...(['artifact', 'memo', 'checkpoint'] as const).flatMap((what) => [`torn ${what}`, `flipped ${what}`] as const),
  ...(['+1 h', '-1 h', '+1 day', '-1 day'] as const).map((jump) => `clock ${jump}` as const),
] as const;
export type Kind = (typeof KINDS)[number];

export interface Fault {
  kind: Kind;
  /** It comes when this share of the run's shards is done, or at once where that is over. */
  at: number;
  /** And so much later. */
  delayMs: number;
  /** How long what passes by itself lasts. */
  holdMs: number;
  /** Which of several processes or files, in [0, 1). */
  which: number;
}

export interface Plan {
  n: number;
  engine: 'scripted' | 'tfjs';
  runSeed: number;
  bucket: boolean;
  codec: boolean;
  smallDisk: boolean;
  faults: Fault[];
}

const FAULTS_OF_A_RUN = { least: 3, most: 5 };
/** Of its shards: before the first there is nothing to damage, after the last the run may be over. */
const WITHIN = { from: 0.05, to: 0.85 };
const DELAY_MS = 400;
/** Longer than the heartbeat's 6 s. */
const HOLD_MS = { least: 7_000, most: 10_000 };
const TFJS_SHARE = 0.2;
/** Each has an undisturbed run of its own to be held against. */
export const SEEDS = { scripted: [5, 6], tfjs: [5] };

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const cards = [...all];
  for (let n = cards.length - 1; n > 0; n--) {
    const other = Math.floor(random() * (n + 1));
    [cards[n], cards[other]] = [cards[other] as T, cards[n] as T];
  }
  return cards;
}

/** The plans of run 0, 1, …, without end: a fault whose run is over before its moment comes does not count. */
export function* plansFrom(seed: number, kinds: readonly Kind[] = KINDS): Generator<Plan> {
  const random = randomNumbers(seed);
  const between = ({ least, most }: { least: number; most: number }) => least + random() * (most - least);
  let deck: Kind[] = [];
  const deal = (): Kind => {
    if (deck.length === 0) deck = shuffled(kinds, random);
    return deck.pop() as Kind;
  };
  for (let n = 0; ; n++) {
    const count = Math.floor(between({ ...FAULTS_OF_A_RUN, most: FAULTS_OF_A_RUN.most + 1 }));
    const moments = Array.from({ length: count }, () => WITHIN.from + random() * (WITHIN.to - WITHIN.from)).sort(
      (x, y) => x - y,
    );
    const faults = moments.map((at): Fault => ({
      kind: deal(),
      at,
      delayMs: Math.round(random() * DELAY_MS),
      holdMs: Math.round(between(HOLD_MS)),
      which: random(),
    }));
    const engine = random() < TFJS_SHARE ? 'tfjs' : 'scripted';
    const seeds = SEEDS[engine];
    const has = (text: string) => faults.some(({ kind }) => kind.endsWith(text));
    yield {
      n,
      engine,
      runSeed: seeds[Math.floor(random() * seeds.length)] as number,
      bucket: has('S3 server'),
      codec: has('codec server'),
      smallDisk: has('for real'),
      faults,
    };
  }
}

export const describePlan = ({ engine, runSeed, bucket, codec, smallDisk, faults }: Plan): string =>
  [
    `${engine} engine, seed ${runSeed}`,
    ...(bucket ? ['store in S3'] : []),
    ...(codec ? ['encrypted'] : []),
    ...(smallDisk ? ['home on a small disk'] : []),
    faults.map(({ kind, at }) => `${kind} at ${Math.round(at * 100)} %`).join(', '),
  ].join('; ');

/**
 * Accuracy is not soundness: right answers can be reached by wrong steps, and training on those teaches the wrong steps.
 *
 *   soundnessAlarms([{ n: 1, dev: 0.4, … soundShare: 0.9 }, { n: 2, dev: 0.6, … soundShare: 0.4 }])
 *   // [{ n: 2, what: 'falling', reason: 'accuracy on dev rose from 40.0% … while …' }]
 *
 * Two alarms, from what a run records of itself:
 *
 * - `falling`: accuracy on dev is above an earlier iteration's by `RISE`, and fewer of its accepted rationales are sound: the 95% interval
 *   of the difference (Newcombe 1998, method 10) excludes zero. Told once for an iteration, against the earlier one with the most sound.
 * - `low`: of at least `FEW` accepted rationales surely fewer than half are sound.
 *
 * Shares are of those accepted, so a run that comes to solve harder problems can fall for that: look at the strata before you blame
 * the model. No decision reads an alarm. Where a task checks no steps there are none. Pure.
 */
import { wilson } from './accuracy.ts';
import type { Ledger } from './run.ts';

export interface SoundnessOf {
  n: number;
  /** Accuracy on dev (0..1). */
  dev: number;
  /** Share (0..1) of the accepted rationales with every step right; null where nobody checks steps. */
  soundShare: number | null;
  ledger: Pick<Ledger, 'acceptedFree' | 'acceptedHinted'>;
}

export interface SoundnessAlarm {
  n: number;
  what: 'falling' | 'low';
  reason: string;
}

interface Known {
  share: number;
  interval: [low: number, high: number];
}
const surelyBelow = (one: Known, before: Known): boolean =>
  before.share - one.share > Math.hypot(before.share - before.interval[0], one.interval[1] - one.share);

/** Of dev accuracy, as a share: a rise below it is taken for none. */
const RISE = 0.02;
/** With fewer accepted rationales a low share says little. */
const FEW = 30;

const percent = (share: number): string => `${(share * 100).toFixed(1)}%`;

export function soundnessAlarms(iterations: readonly SoundnessOf[]): SoundnessAlarm[] {
  const known = iterations.flatMap(({ n, dev, soundShare, ledger }) => {
    const accepted = ledger.acceptedFree + ledger.acceptedHinted;
    if (soundShare === null || accepted === 0) return [];
    return [{ n, dev, share: soundShare, accepted, interval: wilson(Math.round(soundShare * accepted), accepted) }];
  });
  return known.flatMap((one, index) => {
    const alarms: SoundnessAlarm[] = [];
    const before = known
      .slice(0, index)
      .filter((earlier) => one.dev - earlier.dev >= RISE && surelyBelow(one, earlier))
      .sort((x, y) => y.share - x.share)[0];
    if (before)
      alarms.push({
        n: one.n,
        what: 'falling',
        reason:
          `accuracy on dev rose from ${percent(before.dev)} (iteration ${before.n}) to ${percent(one.dev)}, while of the accepted rationales ` +
          `${percent(one.share)} are sound instead of ${percent(before.share)}: it learns answers, not steps`,
      });
    if (one.accepted >= FEW && one.interval[1] < 0.5)
      alarms.push({
        n: one.n,
        what: 'low',
        reason: `only ${percent(one.share)} of ${one.accepted} accepted rationales are sound: most right answers were reached by wrong steps`,
      });
    return alarms;
  });
}

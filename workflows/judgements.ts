/**
 * Are enough judgements there? Held against `judging.atMostUnjudged` before an iteration trains, and again before it is
 * sealed: an outage of the verifier is neither trained on nor taken for a score.
 *
 *   judgingTrouble([…outputs of the verify stages…], 0.2)
 *   // "31 of 100 judgements are missing (0.310, judging.atMostUnjudged is 0.2), most of them: …"
 *
 * Over all stages so far together, so that one poison row among three hinted ones is not a third of everything. Pure.
 */
import type { ArtifactRef } from '../schemas/artifact.ts';
import type { StageKind, StageOutput } from '../schemas/stage.ts';
import type { ScoreShard } from '../schemas/port-values.ts';

type Output = Pick<StageOutput<StageKind>, 'outputs' | 'unjudgedBecause'>;
interface Count {
  judged: number;
  unjudged: number;
}

/** What a shard says of its judgements; nothing, where it makes none. */
function countOf({ outputs }: Output): Count {
  const { correct, incorrect, unjudged, score } = outputs as unknown as Record<string, ArtifactRef | undefined> & {
    score?: ScoreShard;
  };
  if (score !== undefined) {
    const tallies = Object.values(score.byStratum);
    const sum = (pick: 'judged' | 'unjudged') => tallies.reduce((total, one) => total + one[pick], 0);
    return { judged: sum('judged'), unjudged: sum('unjudged') };
  }
  const rows = (ref: ArtifactRef | undefined) => ref?.rows ?? 0;
  return { judged: rows(correct) + rows(incorrect), unjudged: rows(unjudged) };
}

export function judgingTrouble(outputs: Output[], atMost: number): string | undefined {
  const counts = outputs.map(countOf);
  const unjudged = counts.reduce((sum, one) => sum + one.unjudged, 0);
  const all = counts.reduce((sum, one) => sum + one.judged, unjudged);
  if (all === 0 || unjudged / all <= atMost) return undefined;
  const because = outputs.find((one) => one.unjudgedBecause !== undefined)?.unjudgedBecause;
  // A cause may hold text a model wrote: as JSON it is neither markup nor a line of its own.
  const cause = because === undefined ? '' : `, for one: ${JSON.stringify(because.slice(0, 160))}`;
  return (
    `${unjudged} of ${all} judgements are missing (${(unjudged / all).toFixed(3)}; judging.atMostUnjudged is ${atMost})${cause}. ` +
    'Mend the verifier and retry: only these are judged again'
  );
}

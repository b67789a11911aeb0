/** A run on the screen: plain lines, one an event; on a terminal also a block below them that is drawn anew at each look. */
import type { StageProgress } from '../schemas/run.ts';
import { newLines, nothingTold } from './events.ts';
import type { Look } from './look.ts';
import { clean, duration } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export interface View {
  show(look: Look): void;
  say(text: string): void;
  /** Takes the block away. */
  end(): void;
}

const share = (stage: StageProgress, name: string, look: Look): number => {
  if (stage.state !== 'running') return stage.state === 'done' ? 1 : 0;
  const under = look.live
    .filter((live) => live.stage === name && live.total > 0)
    .reduce((sum, live) => sum + live.done / live.total, 0);
  return stage.shards === 0 ? 0 : Math.min(1, (stage.shardsDone + under) / stage.shards);
};

/** Seconds left of each stage, from how fast it went since it was first seen. */
export function makeClock(now: () => number = () => Date.now() / 1_000) {
  const seen = new Map<string, { at: number; done: number }>();
  return (key: string, done: number): number | null => {
    const first = seen.get(key);
    if (!first) {
      seen.set(key, { at: now(), done });
      return null;
    }
    const gained = done - first.done;
    const elapsed = now() - first.at;
    return gained < 0.02 || elapsed < 2 ? null : ((1 - done) * elapsed) / gained;
  };
}

/** Seconds that the iterations still to come may take: each as long as the last. */
export function restOfRun(look: Look): number | null {
  const { progress } = look;
  const last = progress?.records.at(-1);
  if (!progress || !last || last.n === 0 || progress.iteration === null) return null;
  return last.seconds * Math.max(0, progress.iterations - progress.iteration);
}

export function statusBlock(look: Look, clock: ReturnType<typeof makeClock>): string[] {
  const { progress, stages } = look;
  if (!progress) return ['… waiting for the worker'];
  const where =
    progress.iteration === null ? progress.status : `iteration ${progress.iteration} of ${progress.iterations}`;
  const rest = restOfRun(look);
  const lines = [
    `${progress.runId} · ${where}${progress.status === 'running' || progress.iteration === null ? '' : ` · ${progress.status}`}${rest === null || rest < 1 ? '' : ` · about ${duration(rest)} for the iterations after it`}`,
  ];
  for (const [name, stage] of Object.entries(stages?.stages ?? {})) {
    if (stage.state !== 'running') continue;
    const done = share(stage, name, look);
    const left = clock(`${stages?.iteration}/${name}`, done);
    const speed = look.live.filter((live) => live.stage === name).reduce((sum, live) => sum + live.tokensPerSecond, 0);
    const bar = '█'.repeat(Math.round(done * 20)).padEnd(20, '░');
    const parts = [`shard ${Math.min(stage.shards, stage.shardsDone + 1)} of ${stage.shards}`];
    if (speed > 0) parts.push(`${Math.round(speed)} tokens/s`);
    if (left !== null) parts.push(`${duration(left)} left`);
    lines.push(`  ${name.padEnd(8)} ${bar} ${`${Math.round(done * 100)}%`.padStart(4)} · ${parts.join(' · ')}`);
  }
  return lines;
}

export function openView(terminal: Terminal): View {
  const told = nothingTold();
  const clock = makeClock();
  let drawn = 0;
  let block: string[] = [];
  const erase = () => {
    if (drawn > 0) terminal.raw(`\u001b[${drawn}A\u001b[0J`);
    drawn = 0;
  };
  const draw = () => {
    if (!terminal.live || block.length === 0) return;
    const width = terminal.columns() - 1;
    for (const line of block) terminal.raw(`${clean(line).slice(0, width)}\n`);
    drawn = block.length;
  };
  // Whoever speaks while the block is there (a worker that was started again) must not write into it.
  const plain = terminal.say;
  terminal.say = (text) => {
    erase();
    plain(text);
    draw();
  };
  return {
    say: (text) => terminal.say(text),
    show(look) {
      const lines = newLines(told, look);
      block = statusBlock(look, clock);
      erase();
      for (const line of lines) plain(line);
      draw();
    },
    end() {
      erase();
      block = [];
      terminal.say = plain;
    },
  };
}

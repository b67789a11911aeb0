/**
 * One fault: waits for its moment, does it, lifts what is to be lifted, and goes on as a person would.
 *
 * Killed parts of an installation are started again by its owner, a killed owner by `startrail watch`; servers that are not
 * its own (S3, codec) by whoever looks after them. A run that waits, or a command that ended, because a disk was full is gone
 * on with once there is space again.
 */
import { EXIT } from '../../cli/exit.ts';
import { pause } from '../chaos/installation.ts';
import { kill, members } from '../chaos/processes.ts';
import type { Member, Role } from '../chaos/processes.ts';
import { damage } from './files.ts';
import type { Damage } from './files.ts';
import type { Place } from './place.ts';
import type { Fault } from './plan.ts';

export interface Struck {
  fault: Fault;
  /** The run waited, or its command ended, until what lasted was lifted. */
  waited: boolean;
  /** The file that was damaged. */
  damaged?: string;
}

const MOMENT_MS = 240_000;
/** Until a run waits: the pauses between its attempts, on a busy machine. */
const WAITS_MS = 120_000;
const GONE_MS = 15_000;
/** A server that is killed is away for up to so long. */
const AWAY_MS = 6_000;
const JUMPS_MS: Record<string, number> = {
  '+1 h': 3_600_000,
  '-1 h': -3_600_000,
  '+1 day': 86_400_000,
  '-1 day': -86_400_000,
};

/** Waits until there is such a process: it may just be started again. Empty where the command is over. */
async function find(place: Place, role: Role): Promise<Member[]> {
  while (!place.command.over) {
    const found = place.find(role);
    if (found.length > 0) return found;
    await pause(10);
  }
  return [];
}

/** Ends owner, server, workers and engines at once, and waits until nobody is left who could write. */
async function killEverything(place: Place): Promise<void> {
  const { group, ended } = place.command;
  place.endSecondWorker();
  process.kill(-group, 'SIGKILL');
  await ended;
  for (const until = Date.now() + GONE_MS; members(group).length > 0 || place.livesSecond(); await pause(50))
    if (Date.now() > until) throw new Error(`killed and still there: ${JSON.stringify(members(group))}`);
}

const freeze = async (victims: Member[], holdMs: number): Promise<boolean> => {
  for (const one of victims) kill(one, 'SIGSTOP');
  await pause(holdMs);
  for (const one of victims) kill(one, 'SIGCONT');
  return victims.length > 0;
};

const sorry = (place: Place, what: string) => new Error(`${what}; last words:\n${place.lastWords()}`);

/** The moment of a fault; false if the run was over before. */
async function reached(place: Place, { at, delayMs }: Fault, shards: number): Promise<boolean> {
  for (const until = Date.now() + MOMENT_MS; place.shardsDone() < at * shards; await pause(20)) {
    if (place.command.over) return false;
    if (Date.now() > until) throw sorry(place, `${place.shardsDone()} of ${shards} shards, and no more for long`);
  }
  await pause(delayMs);
  return !place.command.over;
}

/**
 * A command that found no space, or no bucket when it was started, has said so and ended; once what it lacked is there, whoever
 * started it goes on. True if it was so. Throws where it ended with another exit code than those.
 */
async function goOnIfOver(place: Place, codes: number[]): Promise<boolean> {
  for (let tries = 0; tries < 40 && !place.command.over; tries++) await pause(50);
  if (!place.command.over) return false;
  const code = await place.command.ended;
  // The run may have been done just now.
  if (code === 0) return false;
  if (code === null || !codes.includes(code)) throw sorry(place, `the command ended with exit code ${code}`);
  if (code === EXIT.waiting) {
    const retried = await place.other('retry', place.runId);
    if (retried.code !== 0) throw new Error(`retry ended with exit code ${retried.code}: ${retried.err}`);
  }
  await place.goOn();
  return true;
}

async function fillUntilItWaits(place: Place): Promise<boolean> {
  place.set({ full: true });
  for (const until = Date.now() + WAITS_MS; !place.command.over && Date.now() < until;) await pause(50);
  place.set({ full: false });
  // A command that was only starting ends at once, and says why.
  return goOnIfOver(place, [EXIT.waiting, EXIT.unreachable]);
}

/** The fault, once its moment comes; undefined if the run was over before, or there was nothing to damage yet. */
export async function strike(place: Place, fault: Fault, shards: number): Promise<Struck | undefined> {
  const { kind, holdMs, which } = fault;
  if (!(await reached(place, fault, shards))) return undefined;
  const [verb, ...words] = kind.split(' ');
  const what = words.join(' ');
  const struck: Struck = { fault, waited: false };
  const one = (found: Member[]) => found.slice(Math.floor(which * found.length)).slice(0, 1);

  if (what === 'S3 server' || what === 'codec server') {
    const server = what === 'S3 server' ? place.s3 : place.codec;
    if (!server) throw new Error(`${kind}: this place has none`);
    if (verb === 'kill') {
      await server.kill();
      await pause(which * AWAY_MS);
      await server.start();
    } else {
      server.freeze();
      await pause(holdMs);
      server.thaw();
    }
    if (what === 'S3 server') struck.waited = await goOnIfOver(place, [EXIT.unreachable]);
  } else if (verb === 'kill') {
    if (what === 'everything') await killEverything(place);
    else {
      const victims = one(await find(place, what === 'owner' ? 'cli' : (what as Role)));
      if (victims.length === 0) return undefined;
      for (const victim of victims) kill(victim);
    }
    if (what === 'everything' || what === 'owner') {
      await place.command.ended;
      await place.goOn();
    }
  } else if (verb === 'freeze') {
    if (what === 'one of two workers') place.startSecondWorker();
    const role = what === 'one of two workers' ? 'worker' : (what as Role);
    const victims = what === 'everything' ? members(place.command.group) : await find(place, role);
    if (!(await freeze(role === 'engine' ? one(victims) : victims, holdMs))) return undefined;
  } else if (verb === 'disk') {
    if (what === 'full until it waits') struck.waited = await fillUntilItWaits(place);
    else if (what === 'full shortly') {
      place.set({ full: true });
      await pause(holdMs);
      place.set({ full: false });
    } else {
      place.fillDisk();
      await pause(holdMs);
      place.emptyDisk();
      struck.waited = await goOnIfOver(place, [EXIT.failed, EXIT.unreachable, EXIT.waiting]);
    }
  } else if (verb === 'clock') {
    place.set({ clockMs: JUMPS_MS[what] });
  } else {
    await killEverything(place);
    const hit = await damage(place.files(), kind as Damage, which);
    await place.goOn();
    if (hit === undefined) return undefined;
    struck.damaged = hit;
  }
  return struck;
}

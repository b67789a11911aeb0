/** The words of `schedule`: options and help; cli/schedule.ts does the work. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { taskQueues } from '../temporal.config.ts';
import { setting, integer } from './input.ts';
import type { Context } from './parts.ts';
import { OVERLAPS } from './schedule.ts';
import type { Steer } from './schedule.ts';

interface CreateOptions {
  id?: string;
  recipe: string;
  at?: string;
  calendar?: [string, unknown][];
  timeZone: string;
  jitter: string;
  overlap: string;
  catchUp: string;
  pauseOnFailure?: boolean;
  iterations?: number;
  margin: string;
  problems?: string;
  newShare?: string;
  set?: [string, unknown][];
}
type Act = (handler: (context: Context) => Promise<number>) => Promise<void>;

export function addScheduleVerbs(program: Command, act: Act): void {
  const schedule = program.command('schedule').description('nightly retraining, promoted by a gate').exitOverride();
  const verb = (name: string, description: string) =>
    schedule
      .command(name)
      .description(description)
      .option('--json', 'one JSON document on standard output')
      .exitOverride();
  verb('create', 'retrain a task every night')
    .argument('<task>', 'its id')
    .option('--id <id>', 'the name of the schedule (nightly-<task>)')
    .option('--recipe <id>', 'the recipe', 'star')
    .option('--at <time>', 'time of day, e.g. 02:30')
    .option('--calendar <field=value>', "a calendar's field instead, e.g. hour=2 or dayOfWeek=SUNDAY", setting)
    .option('--time-zone <zone>', 'of that time', 'UTC')
    .option('--jitter <span>', 'start at random within this', '0s')
    .addOption(new Option('--overlap <what>', 'when the last night still runs').choices(OVERLAPS).default('skip'))
    .option('--catch-up <span>', 'what was missed while the server was down is run up to this late', '1h')
    .option('--pause-on-failure', 'no more nights after one that failed')
    .option('--iterations <n>', 'at most so many a night', integer(1))
    .option('--margin <share>', 'how much better a model must be to be promoted, e.g. 0.01', '0')
    .option('--problems <root>', 'a data root of the worker to draw from, e.g. inbox; it may grow')
    .option('--new-share <share>', 'of a draw, first to problems that came since the last night (0.5)')
    .option('--set <path=value>', 'an option of the recipe', setting)
    .action((task: string, options: CreateOptions) =>
      act(async (context) =>
        (await import('./schedule.ts')).create(context, taskQueues.control, {
          ...options,
          id: options.id ?? `nightly-${task}`,
          calendar: options.calendar && Object.fromEntries(options.calendar),
          pauseOnFailure: options.pauseOnFailure ?? false,
          input: {
            run: {
              recipe: options.recipe,
              task,
              ...(options.iterations !== undefined && { iterations: options.iterations }),
              ...(options.problems !== undefined && {
                problems: {
                  root: options.problems,
                  ...(options.newShare !== undefined && { newShare: Number(options.newShare) }),
                },
              }),
              set: Object.fromEntries(options.set ?? []),
            },
            gate: { margin: Number(options.margin) },
          },
        }),
      ),
    );
  verb('list', 'schedules, their next and last nights, what was skipped or missed').action(() =>
    act(async (context) => (await import('./schedule.ts')).list(context)),
  );
  const steer = (name: Steer, description: string) =>
    verb(name, description)
      .argument('<schedule>', 'its id')
      .option('--reason <text>', 'kept with it')
      .action((id: string, options: { reason?: string }) =>
        act(async (context) => (await import('./schedule.ts')).steerSchedule(context, id, name, options.reason)),
      );
  steer('trigger', 'a night now');
  steer('pause', 'no more nights');
  steer('resume', 'nights again');
  steer('delete', 'the schedule; its nights and models stay');
  verb('backfill', 'run the nights of a span that is over')
    .argument('<schedule>', 'its id')
    .requiredOption('--from <time>', 'ISO time')
    .requiredOption('--to <time>', 'ISO time')
    .action((id: string, { from, to }: { from: string; to: string }) =>
      act(async (context) => (await import('./schedule.ts')).backfill(context, id, from, to)),
    );
}

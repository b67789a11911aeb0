/** The verbs that work on what runs left: replay, fork, compare, diff, gc. Put into the program by program.ts. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { ForkOptions } from './fork.ts';
import { integer, runIdArgument, setting } from './input.ts';
import type { CompareOptions } from './compare.ts';
import type { Context } from './parts.ts';
import type { ReplayOptions } from './replay.ts';

type Act = (handler: (context: Context) => Promise<number>) => Promise<void>;

export function addHistoryVerbs(verb: (name: string, description: string) => Command, act: Act): void {
  const settings = (command: Command) =>
    command.option('--set <path=value>', 'an option of a stage, e.g. stages.next.with.learningRate=0.001', setting);

  settings(verb('replay', 'a sealed iteration once more, in a workflow of its own; the run stays as it is'))
    .argument('<run>', 'its id', runIdArgument)
    .requiredOption('--iteration <n>', 'which one; 0 is the base', integer(0))
    .option('--fresh', 'ignore the memo, do all work again, compare every digest')
    .addHelpText(
      'after',
      '\nExit code 0: the digests are the recorded ones (or --set changed something) · 1: they are not · 2: nothing such to replay',
    )
    .action((id: string, options: ReplayOptions) =>
      act(async (context) => (await import('./replay.ts')).replay(context, id, options)),
    );
  settings(verb('fork', 'a new run that shares the iterations before one and goes on from there'))
    .argument('<run>', 'its origin', runIdArgument)
    .requiredOption('--from <n>', 'the first iteration to be done again', integer(1))
    .option('--iterations <n>', 'at most so many iterations in all', integer(1))
    .option('--run-id <id>', 'its name (<run>-f<n>-<k>)', runIdArgument)
    .addOption(new Option('--on-failure <what>', 'when an iteration fails').choices(['wait', 'fail']))
    .action((id: string, options: ForkOptions) =>
      act(async (context) => (await import('./fork.ts')).fork(context, id, options)),
    );
  verb('compare', 'runs side by side, with intervals')
    .argument('<runs...>', 'their ids; the first is what the others are held against')
    .option('--allow-different-forms', 'also where prompts of the evaluations or the test problems differ')
    .action((ids: string[], options: CompareOptions) =>
      act(async (context) => (await import('./compare.ts')).compare(context, ids, options)),
    );
  verb('diff', 'what distinguishes two recipes')
    .argument('<left>', 'a recipe, a JSON file with one, or a run')
    .argument('<right>', 'the same')
    .action((left: string, right: string) =>
      act(async (context) => (await import('./diff.ts')).diff(context, left, right)),
    );
  verb('gc', 'remove what no run, fork or promoted model can reach and nobody touched for a day')
    .option('--dry-run', 'say what would be removed; remove nothing')
    .action((options: { dryRun?: boolean }) => act(async (context) => (await import('./gc.ts')).gc(context, options)));
}

/**
 * The command line: verbs, options, help; what they do stands in one file a verb, loaded when it is asked for.
 *
 *   main(['run', 'addition', '--seed', '3']) → exit code
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { asCliError, CliError, EXIT } from './exit.ts';
import { addExportVerbs } from './export-verbs.ts';
import { addHistoryVerbs } from './history-verbs.ts';
import type { CodecServerOptions } from './codec-server.ts';
import { decimal, integer, numberList, runIdArgument, seedList, setting, wordList } from './input.ts';
import type { RunOptions } from './input.ts';
import { OUTCOMES } from './ledger.ts';
import type { LedgerOptions } from './ledger.ts';
import type { FetchOptions } from './fetch.ts';
import type { PromoteOptions } from './models.ts';
import type { PaperOptions } from './paper-rows.ts';
import type { StudyOptions } from './study.ts';
import type { TheoryOptions } from './theory.ts';
import type { UpOptions } from './up.ts';
import { contextOf } from './parts.ts';
import type { Context } from './parts.ts';
import { addScheduleVerbs } from './schedule-verbs.ts';
import { openTerminal } from './terminal.ts';
import type { Terminal } from './terminal.ts';

const EXAMPLES = `
Examples:
  startrail run addition                              the whole loop on addition, with a table and a report at the end
  startrail run star --task addition --seed 3 --iterations 5
  startrail run addition --set stages.free.with.temperature=0.7 --set parameters.digits=4
  startrail run addition --dry-run                    the resolved recipe and what it would cost
  startrail watch addition-star-s1-1                  follow it again, also after a crash
  startrail ledger addition-star-s1-1 --iteration 3 --outcome rejected
  startrail replay addition-star-s1-1 --iteration 3   the same digests again, from the memo; --fresh does the work again
  startrail fork addition-star-s1-1 --from 3 --set stages.next.with.learningRate=0.002
  startrail study star --task addition --seeds 1,2,3  a method beside its controls, with verdicts
  startrail paper commonsenseqa --model smollm2       the paper's table, beside what it published
  startrail export model addition-star-s1-1 ./model   its best iteration as transformers loads it
  startrail stop addition-star-s1-1                   end it after the shard under way

Everything lies in one folder: STARTRAIL_HOME, else .startrail where you stand. With STARTRAIL_ADDRESS or
TEMPORAL_PROFILE a Temporal server of yours is used, else one is started and ended with the command.

Exit codes: 0 done or stopped · 1 failed, cancelled, terminated · 2 bad input or unknown run · 3 server or store unreachable
            4 waiting or paused · 5 the home is owned by another process · 130 detached`;

type Handler = (context: Context) => Promise<number>;

export function buildProgram(terminal: Terminal, act: (handler: Handler) => Promise<void>): Command {
  const program = new Command('startrail')
    .description('Self-taught reasoning loops (STaR and its family) that survive being killed')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(see --help)')
    .exitOverride()
    // Under --json a usage error is told as JSON, once.
    .configureOutput({ writeErr: (text) => (terminal.json ? undefined : process.stderr.write(text)) });
  const verb = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option('--json', 'one JSON document on standard output')
      .exitOverride();
  const settings = (command: Command) =>
    command.option(
      '--set <path=value>',
      'an option of the recipe or the task, e.g. stages.free.with.samples=4',
      setting,
    );

  settings(verb('run', 'start a run and follow it; Ctrl-C detaches'))
    .argument('<what>', 'a recipe, a task, or a JSON file with a run input or a recipe')
    .option('--task <id>', 'the task, where a recipe is named (addition)')
    .option('--recipe <id>', 'the recipe, where a task is named (star)')
    .option('--control <name>', 'that control of the recipe, e.g. unfiltered (recipes/controls.ts)')
    .option('--iterations <n>', 'at most so many iterations', integer(0))
    .option('--seed <n>', 'same seed, same run (1)', integer(0))
    .option('--shard-size <n>', 'problems a shard; changes no result', integer(1))
    .option('--run-id <id>', 'its name (<task>-<recipe>-s<seed>-<n>)', runIdArgument)
    .addOption(new Option('--on-failure <what>', 'when an iteration fails').choices(['wait', 'fail']))
    .option('--engine <id>', 'an engine that the worker declares')
    .option('--model <name>', 'a pretrained model to start from, in the folder STARTRAIL_MODELS (models)')
    .option('--dry-run', 'say what would be done; start nothing')
    .action((what: string, options: RunOptions & { dryRun?: boolean }) =>
      act(async (context) => (await import('./run.ts')).run(context, what, options)),
    );
  settings(
    verb('paper', "the runs of the paper's table, one after another, and the table beside the published numbers"),
  )
    .argument('[task]', 'the task; most need --model', 'addition')
    .option('--model <name>', 'a pretrained model to start from, in the folder STARTRAIL_MODELS (models)')
    .option('--seed <n>', 'of every run (1)', integer(0))
    .option('--iterations <n>', 'at most so many, of the runs that train', integer(1))
    .option('--limit <n>', 'at most so many problems drawn in an iteration, and asked of dev and of test', integer(1))
    .option('--engine <id>', 'an engine that the worker declares')
    .option('--name <name>', 'what the run ids begin with (paper-<task>[-<model>]-s<seed>…)', runIdArgument)
    .option('--dry-run', 'say which runs there would be; start nothing')
    .action((task: string, options: PaperOptions) =>
      act(async (context) => (await import('./paper.ts')).paper(context, task, options)),
    );
  settings(verb('study', 'a recipe over several seeds beside its controls: all runs, then differences and verdicts'))
    .argument('<recipe>', 'the method')
    .argument('[others...]', 'what it is held against (its controls)')
    .option('--task <id>', 'the task', 'addition')
    .option('--model <name>', 'a pretrained model to start from, in the folder STARTRAIL_MODELS (models)')
    .option('--seeds <n,n,…>', 'of the runs', seedList, [1, 2, 3])
    .option('--iterations <n>', 'at most so many, of the runs that train', integer(1))
    .option('--limit <n>', 'at most so many problems drawn in an iteration, and asked of dev and of test', integer(1))
    .option('--smallest <points>', 'the smallest difference that matters', integer(0), 3)
    .option('--strata <a,b,…>', 'count no others of the test split (all)', wordList)
    .option('--engine <id>', 'an engine that the worker declares')
    .option('--name <name>', 'what the run ids begin with (study-<task>…)', runIdArgument)
    .option('--dry-run', 'say which runs there would be; start nothing')
    .action((recipe: string, others: string[], options: StudyOptions) =>
      act(async (context) => (await import('./study.ts')).study(context, recipe, others, options)),
    );
  verb(
    'theory',
    "RL-STaR's recursion beside a tabular loop on the same chains of states, or beside runs on task chains",
  )
    .argument('[runs...]', 'ids of runs that sampled; without any a tabular loop of these options is made')
    .option('--states <n>', 'M', integer(2), 8)
    .option('--deltas <d,d,…>', 'advantage over chance of each step', numberList, [0.2, 0.2, 0.2])
    .option('--iterations <n>', 'of sampling, filtering and refitting', integer(0), 6)
    .option('--samples <n>', 'chains a state and iteration', integer(1), 4096)
    .option('--seeds <n>', 'so many', integer(1), 10)
    .option('--false-accepts <share>', 'of chains with a wrong end; 1 = no filter', decimal, 0)
    .option('--temperature <t>', 'of sampling', decimal, 1)
    .action((runs: string[], options: TheoryOptions) =>
      act(async (context) =>
        runs.length > 0
          ? (await import('./theory-runs.ts')).theoryOfRuns(context, runs)
          : (await import('./theory.ts')).theory(context, options),
      ),
    );
  verb('up', 'server, UI, live page and worker in the foreground')
    .option('--port <n>', 'of the live page; 0 = a free one (the one it had last)', integer(0))
    .option('--token [token]', 'the page may steer runs, for whoever has the token; without a value one is made')
    .action((options: UpOptions) => act(async (context) => (await import('./up.ts')).up(context, options)));
  const ofRun = (name: string, description: string) =>
    verb(name, description).argument('<run>', 'its id', runIdArgument);
  ofRun('watch', 'follow a run, going on with it where nobody works on it')
    .option(
      '--started-code',
      'with the workflow code it was started with, after an upgrade that does not fit its history',
    )
    .action((id: string, options: { startedCode?: boolean }) =>
      act(async (context) => (await import('./watch.ts')).watch(context, id, options)),
    );
  verb('list', 'the runs of this home').action(() => act(async (context) => (await import('./list.ts')).list(context)));
  ofRun('show', 'the state of a run').action((id: string) =>
    act(async (context) => (await import('./show.ts')).show(context, id)),
  );
  ofRun('ledger', 'what became of each problem')
    .addOption(new Option('--outcome <outcome>', 'only these').choices(OUTCOMES))
    .option('--iteration <n>', 'only this one', integer(0))
    .option('--limit <n>', 'at most so many rows', integer(1))
    .action((id: string, options: LedgerOptions) =>
      act(async (context) => (await import('./ledger.ts')).ledger(context, id, options)),
    );
  ofRun('report', 'write the HTML and Markdown report')
    .option('--out <folder>', 'where to (<home>/reports/<run>)')
    .action((id: string, options: { out?: string }) =>
      act(async (context) => (await import('./report.ts')).report(context, id, options)),
    );
  ofRun('pause', 'no new shard starts').action((id: string) =>
    act(async (context) => (await import('./pause.ts')).pause(context, id)),
  );
  ofRun('resume', 'a paused run goes on').action((id: string) =>
    act(async (context) => (await import('./resume.ts')).resume(context, id)),
  );
  ofRun('stop', 'end a run after the shard under way')
    .option('--now', 'cancel what is under way; the iteration stays unsealed')
    .action((id: string, options: { now?: boolean }) =>
      act(async (context) => (await import('./stop.ts')).stop(context, id, options)),
    );
  settings(ofRun('retry', 'the failed iteration again')).action((id: string, options: RunOptions) =>
    act(async (context) => (await import('./retry.ts')).retry(context, id, options)),
  );
  ofRun('abandon', 'end a run that waits after a failure').action((id: string) =>
    act(async (context) => (await import('./abandon.ts')).abandon(context, id)),
  );
  addHistoryVerbs(verb, act);
  addExportVerbs(program, act);
  const models = program
    .command('models')
    .description("a task's current model, its history and lineage; pretrained ones from the Hub")
    .exitOverride();
  const modelVerb = (name: string, description: string) =>
    models
      .command(name)
      .description(description)
      .option('--json', 'one JSON document on standard output')
      .exitOverride();
  modelVerb('list', 'current models and every promotion, refusal and roll-back')
    .argument('[task]', 'only this one')
    .action((task: string | undefined) =>
      act(async (context) => (await import('./models.ts')).listModels(context, task)),
    );
  modelVerb('promote', "make a run's iteration the task's current model, past the gate")
    .argument('<task>', 'its id')
    .requiredOption('--run <id>', 'the run it comes from', runIdArgument)
    .option('--iteration <n>', 'which of its iterations (the best on dev)', integer(0))
    .action((task: string, options: PromoteOptions) =>
      act(async (context) => (await import('./models.ts')).promoteModel(context, task, options)),
    );
  modelVerb('rollback', 'back to the promotion before the current one')
    .argument('<task>', 'its id')
    .option('--to <n>', 'to the promotion of this number in the history', integer(1))
    .action((task: string, options: { to?: number }) =>
      act(async (context) => (await import('./models.ts')).rollbackModel(context, task, options)),
    );
  modelVerb(
    'fetch',
    'a pretrained model of the Hugging Face Hub into the folder STARTRAIL_MODELS; goes on where it was cut off',
  )
    .argument('<name>', 'owner/name, as on the Hub')
    .option('--revision <revision>', 'a branch, a tag or a commit', 'main')
    .option('--file <file.gguf>', 'this GGUF file of it instead of config, tokenizer and safetensors')
    .option('--as <name>', 'the name it gets here (its own)')
    .action((name: string, options: FetchOptions) =>
      act(async (context) => (await import('./fetch.ts')).fetchPretrained(context, name, options)),
    );
  program
    .command('datasets')
    .description('published data sets')
    .exitOverride()
    .command('fetch')
    .description("a task's files from the Hugging Face Hub into the folder STARTRAIL_DATASETS")
    .option('--json', 'one JSON document on standard output')
    .exitOverride()
    .argument('<task>', 'gsm8k, commonsenseqa, medqa or math')
    .option('--revision <revision>', 'a branch, a tag or a commit', 'main')
    .action((task: string, options: FetchOptions) =>
      act(async (context) => (await import('./fetch.ts')).fetchDatasetOf(context, task, options)),
    );
  addScheduleVerbs(program, act);
  verb('codec-server', "opens encrypted payloads for Temporal's UI")
    .option('--port <n>', 'of the loopback address; 0 = a free one', integer(0), 0)
    .option('--origin <url>', "of the UI whose pages may ask (this home's)")
    .action((options: CodecServerOptions) =>
      act(async (context) => (await import('./codec-server.ts')).codecServer(context, options)),
    );
  verb('doctor', 'what is installed, what is missing, what fixes it').action(() =>
    act(async (context) => (await import('./doctor.ts')).doctor(context)),
  );
  return program;
}

function tell(terminal: Terminal, error: CliError): number {
  const { code, message, details, exit } = error;
  if (terminal.json) terminal.document({ error: { code, message, details: details ?? null } });
  process.stderr.write(`startrail: ${code}: ${message}\n`);
  return exit;
}

/** Never throws. */
export async function main(words: string[], makeContext: (terminal: Terminal) => Context = contextOf): Promise<number> {
  const terminal = openTerminal(words.includes('--json'));
  let code: number = EXIT.ok;
  try {
    const program = buildProgram(terminal, async (handler) => {
      code = await handler(makeContext(terminal));
    });
    if (words.length === 0) {
      program.outputHelp({ error: true });
      return EXIT.input;
    }
    await program.parseAsync(words, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && !(error instanceof InvalidArgumentError)) {
      if (error.exitCode === 0) return EXIT.ok;
      if (terminal.json)
        return tell(terminal, new CliError(EXIT.input, 'Usage', error.message.replace(/^error: /, '')));
      return EXIT.input;
    }
    return tell(terminal, asCliError(error));
  }
}

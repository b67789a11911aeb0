/** `export model` and `export dataset`. Put into the program by program.ts. */
import type { Command } from 'commander';
import type { ExportOptions } from './export.ts';
import { integer, runIdArgument } from './input.ts';
import type { Context } from './parts.ts';

type Act = (handler: (context: Context) => Promise<number>) => Promise<void>;

export function addExportVerbs(program: Command, act: Act): void {
  const group = program
    .command('export')
    .description("a run's models and training rows for other programs")
    .exitOverride();
  const verb = (name: string, description: string) =>
    group
      .command(name)
      .description(description)
      .argument('<run>', 'its id', runIdArgument)
      .argument('<folder>', 'where to; it must not be there yet')
      .option('--iteration <n>', 'which of its iterations (the best on dev)', integer(0))
      .option('--json', 'one JSON document on standard output')
      .exitOverride();
  verb('model', 'model.safetensors, config.json and tokenizer.json, as transformers loads them')
    .option('--adapter', "the adapter alone, as PEFT loads it, instead of merged into the run's base")
    .action((id: string, folder: string, options: ExportOptions) =>
      act(async (context) => (await import('./export.ts')).exportModel(context, id, folder, options)),
    );
  verb('dataset', 'the rows it was trained on, as JSON Lines, with a card').action(
    (id: string, folder: string, options: ExportOptions) =>
      act(async (context) => (await import('./export.ts')).exportDataset(context, id, folder, options)),
  );
}

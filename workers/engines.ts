/** The engines that an installation declares, made ready: none of them is started before its first request. */
import path from 'node:path';
import { createCommandEngine } from '../engine/command/engine.ts';
import type { Engine } from '../engine/engine.ts';
import { createHostedEngine } from '../engine/host.ts';
import { createLanedEngine } from '../engine/lanes.ts';
import { createOpenAiEngine } from '../engine/openai/engine.ts';
import { createSplitEngine } from '../engine/split.ts';
import type { EngineSettings, LocalSettings } from '../schemas/engine-settings.ts';
import { keyIn, settings as installation } from '../temporal.config.ts';

/** In child processes: one that trains, and lanes that sample. */
function localEngine({ kind, threads, lanes, hungAfterMs }: LocalSettings, log: (line: string) => void): Engine {
  const hosted = (count: number) => createHostedEngine({ entry: kind, threads: count, hungAfterMs, log });
  if (lanes === 0) return hosted(threads);
  return createLanedEngine({ sampling: Array.from({ length: lanes }, () => hosted(1)), training: hosted(threads) });
}

/** By name. `declared` has been checked: a split engine names two that are there. */
export function startEngines(
  declared: Record<string, EngineSettings>,
  log: (engine: string, line: string) => void,
): Map<string, Engine> {
  const engines = new Map<string, Engine>();
  const start = (name: string): Engine => {
    const known = engines.get(name);
    if (known) return known;
    const settings = declared[name] as EngineSettings;
    const engine = create(name, settings);
    engines.set(name, engine);
    return engine;
  };
  const create = (name: string, settings: EngineSettings): Engine => {
    switch (settings.kind) {
      case 'tfjs':
      case 'scripted':
        return localEngine(settings, (line) => log(name, line));
      case 'openai':
        return createOpenAiEngine({
          ...{ name, settings, key: keyIn(settings.apiKeyVariable) },
          folder: path.join(installation.home, 'engines', name),
        });
      case 'command':
        return createCommandEngine({ name, settings });
      case 'split':
        return createSplitEngine({ sampling: start(settings.sample), training: start(settings.train) });
    }
  };
  for (const name of Object.keys(declared)) start(name);
  return engines;
}

/**
 * The registry: every file of this folder whose default export is a task. Its name is its id; nothing else has to be edited
 * to add one.
 *
 *   taskById('addition')?.title
 *
 * Limits: the folder is read once, when this module is loaded; workflows must not import it (they see schemas only).
 */
import { readdirSync } from 'node:fs';
import type { Task } from './task.ts';

const tasks = new Map<string, Task>();
for (const file of readdirSync(new URL('.', import.meta.url)).sort()) {
  if (!/^[a-z][a-z0-9-]*\.ts$/.test(file) || file === 'index.ts') continue;
  const module = (await import(/* @vite-ignore */ `./${file}`)) as { default?: Task };
  // Files that serve the tasks (splits, draw, …) have no default export.
  if (module.default === undefined) continue;
  const id = file.slice(0, -'.ts'.length);
  if (module.default.id !== id)
    throw new Error(`tasks/${file} has the id "${module.default.id}"; a task's id is its file's name, "${id}"`);
  tasks.set(id, module.default);
}

/** Ids of all tasks, sorted. */
export const taskIds = (): string[] => [...tasks.keys()];

/** The task with this id; undefined if there is none (the caller can name the nearest). */
export const taskById = (id: string): Task | undefined => tasks.get(id);

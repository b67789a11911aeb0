/** A small schema for tests of the SQL verifier, and a task that is judged by it in its child process. */
import addition from '../../tasks/addition.ts';
import type { Task } from '../../tasks/task.ts';
import { judgeSql } from '../../verifiers/sql.ts';
import { SqlSchema } from '../../verifiers/sql-schema.ts';

export const pets = SqlSchema.parse({
  tables: [
    {
      name: 'owner',
      columns: [
        { name: 'id', type: 'integer' },
        { name: 'name', type: 'text' },
        { name: 'city', type: 'text', values: ['Oslo', 'Rome'] },
      ],
      key: ['id'],
    },
    {
      name: 'pet',
      columns: [
        { name: 'id', type: 'integer' },
        { name: 'owner_id', type: 'integer' },
        { name: 'name', type: 'text' },
        { name: 'age', type: 'integer', values: [3] },
        { name: 'weight', type: 'real' },
      ],
      key: ['id'],
    },
  ],
  foreign: [{ table: 'pet', column: 'owner_id', toTable: 'owner', toColumn: 'id' }],
});
export const GOLD = 'SELECT name FROM pet WHERE age > 3';

/** Judges the completion as a query against {@link GOLD}. */
const { checkSteps: _none, ...plain } = addition;
const petsTask: Task = {
  ...plain,
  id: 'sql-pets',
  judging: { memoryMb: 384 },
  judge: (_, text) => judgeSql({ schema: pets, gold: GOLD, answer: text, instances: 5 }),
  modules: [new URL(import.meta.url)],
};
export default petsTask;

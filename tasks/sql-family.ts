/**
 * A family of schemas of two tables and questions about them, all made of one small vocabulary.
 *
 *   schema 12     owner ( id name city age ) pet ( id owner_id name color weight price )
 *   question      the name of each pet whose weight is above 7
 *   steps         show name / from pet / where weight > 7
 *   query         SELECT name FROM pet WHERE weight > 7
 *
 * A schema is a pair of tables with columns of its own; the words are known, the combination is not: what is learned is which
 * word of a question is which column, not the schemas. Each relation has several wordings. Own writing. Pure.
 */
import type { SqlSchema } from '../verifiers/sql-schema.ts';
import { permutation } from './permutation.ts';

const PARENTS = ['owner', 'team', 'shop', 'school', 'club', 'farm', 'band', 'hotel'];
const CHILDREN = ['pet', 'player', 'item', 'student', 'member', 'animal', 'song', 'room'];
const NUMBERS = ['age', 'price', 'size', 'score', 'year', 'weight', 'rank', 'length'];
const TEXTS: Record<string, string[]> = {
  city: ['Oslo', 'Rome', 'Lima', 'Cairo'],
  color: ['red', 'blue', 'green', 'white'],
  kind: ['old', 'new', 'big', 'small'],
  level: ['low', 'mid', 'high', 'top'],
};
const VALUES = { from: 2, to: 13 };
export const SCHEMAS = PARENTS.length * CHILDREN.length;

interface Table {
  name: string;
  number: string[];
  text: string[];
}
export interface FamilySchema {
  parent: Table;
  child: Table;
}

/** The columns of a pair are drawn once and for all. */
export function schemaAt(index: number): FamilySchema {
  const pick = (list: readonly string[], salt: string) => {
    const order = permutation(list.length, `startrail sql ${salt}\n${index}`);
    return (at: number) => list[order(at)]!;
  };
  const [number, text] = [pick(NUMBERS, 'numbers'), pick(Object.keys(TEXTS), 'texts')];
  return {
    parent: { name: PARENTS[index % PARENTS.length]!, number: [number(0), number(1)], text: [text(0)] },
    child: {
      name: CHILDREN[Math.floor(index / PARENTS.length)]!,
      number: [number(2), number(3)],
      text: [text(1)],
    },
  };
}

const parentKey = ({ parent }: FamilySchema): string => `${parent.name}_id`;
const columnsOf = (schema: FamilySchema, table: Table): string[] => [
  'id',
  ...(table === schema.child ? [parentKey(schema)] : []),
  'name',
  ...table.text,
  ...table.number,
];

/** As the prompt shows it. */
export const schemaText = (schema: FamilySchema): string =>
  [schema.parent, schema.child].map((table) => ` ${table.name} ( ${columnsOf(schema, table).join(' ')} )`).join('');

/** As the verifier needs it: all numbers that a question may hold are among the values. */
export function sqlSchema(schema: FamilySchema): SqlSchema {
  const values = Array.from({ length: VALUES.to - VALUES.from + 1 }, (_, at) => VALUES.from + at);
  const table = (one: Table) => ({
    name: one.name,
    columns: columnsOf(schema, one).map((name) => {
      if (one.number.includes(name)) return { name, type: 'integer' as const, values };
      if (TEXTS[name]) return { name, type: 'text' as const, values: TEXTS[name] };
      return { name, type: name === 'name' ? ('text' as const) : ('integer' as const) };
    }),
    key: ['id'],
  });
  const { parent, child } = schema;
  return {
    tables: [table(parent), table(child)],
    foreign: [{ table: child.name, column: parentKey(schema), toTable: parent.name, toColumn: 'id' }],
  };
}

export interface Asked {
  question: string;
  steps: string[];
  sql: string;
}
/** Takes the next choice among `count`: a number of the mixed radix that a problem's index is. */
type Choose = <T>(list: readonly T[]) => T;

const OVER = ['over', 'above', 'more than'];
const UNDER = ['under', 'below', 'less than'];
const AGGREGATES = [
  ['the highest', 'max'],
  ['the largest', 'max'],
  ['the lowest', 'min'],
  ['the smallest', 'min'],
  ['the average', 'avg'],
  ['the mean', 'avg'],
  ['the total', 'sum'],
  ['the sum of', 'sum'],
] as const;
const ENDS = [
  ['highest', 'DESC'],
  ['largest', 'DESC'],
  ['lowest', 'ASC'],
  ['smallest', 'ASC'],
] as const;
const LITERALS = Array.from({ length: VALUES.to - VALUES.from - 1 }, (_, at) => VALUES.from + 1 + at);
const RELATIONS = [...OVER.map((words) => [words, '>'] as const), ...UNDER.map((words) => [words, '<'] as const)];

/** "age is over 3", `age > 3`. */
function comparison(table: Table, choose: Choose): [string, string] {
  const column = choose(table.number);
  const [words, sign] = choose(RELATIONS);
  const value = choose(LITERALS);
  return [`${column} is ${words} ${value}`, `${column} ${sign} ${value}`];
}
/** "city is 'Oslo'", `city = 'Oslo'`. */
function equality(table: Table, choose: Choose): [string, string] {
  const column = choose(table.text);
  const value = choose(TEXTS[column]!);
  return [`${column} is '${value}'`, `${column} = '${value}'`];
}

/** Kinds of questions, from one clause to a query inside a query. Each makes the same number of choices for every schema. */
export const KINDS: Record<string, (schema: FamilySchema, choose: Choose) => Asked> = {
  filter: ({ parent, child }, choose) => {
    const table = choose([parent, child]);
    const column = choose(['name', ...table.text]);
    const [words, condition] = comparison(table, choose);
    return {
      question: `the ${column} of each ${table.name} whose ${words}`,
      steps: [`show ${column}`, `from ${table.name}`, `where ${condition}`],
      sql: `SELECT ${column} FROM ${table.name} WHERE ${condition}`,
    };
  },
  aggregate: ({ parent, child }, choose) => {
    const table = choose([parent, child]);
    const [words, name] = choose(AGGREGATES);
    const column = choose(table.number);
    const [which, condition] = equality(table, choose);
    return {
      question: `${words} ${column} of each ${table.name} whose ${which}`,
      steps: [`show ${name} ( ${column} )`, `from ${table.name}`, `where ${condition}`],
      sql: `SELECT ${name} ( ${column} ) FROM ${table.name} WHERE ${condition}`,
    };
  },
  order: ({ parent, child }, choose) => {
    const table = choose([parent, child]);
    const [words, direction] = choose(ENDS);
    const column = choose(table.number);
    const count = choose([1, 2, 3, 4]);
    const shown = choose(['id', 'name', ...table.text]);
    return {
      question: `the ${shown} of the ${count} ${table.name} with the ${words} ${column}`,
      steps: [`show ${shown}`, `from ${table.name}`, `order ${column} ${direction}`, `limit ${count}`],
      sql: `SELECT ${shown} FROM ${table.name} ORDER BY ${column} ${direction} LIMIT ${count}`,
    };
  },
  group: ({ parent, child }, choose) => {
    const table = choose([parent, child]);
    const column = choose(table.text);
    const [words, name] = choose(AGGREGATES);
    const measured = choose(table.number);
    const [more, sign] = choose(RELATIONS);
    const count = choose([2, 3, 4]);
    return {
      question: `${words} ${measured} for each ${column} with ${more} ${count} ${table.name}`,
      steps: [
        `show ${column} , ${name} ( ${measured} )`,
        `from ${table.name}`,
        `group ${column}`,
        `having count ( * ) ${sign} ${count}`,
      ],
      sql: `SELECT ${column} , ${name} ( ${measured} ) FROM ${table.name} GROUP BY ${column} HAVING count ( * ) ${sign} ${count}`,
    };
  },
  join: (schema, choose) => {
    const { parent, child } = schema;
    const column = choose(['name', ...parent.text]);
    const [words, condition] = comparison(child, choose);
    const key = parentKey(schema);
    return {
      question: `the ${column} of the ${parent.name} of each ${child.name} whose ${words}`,
      steps: [
        `show ${parent.name} . ${column}`,
        `from ${parent.name} join ${child.name} on ${key}`,
        `where ${child.name} . ${condition}`,
      ],
      sql:
        `SELECT ${parent.name} . ${column} FROM ${parent.name} JOIN ${child.name} ` +
        `ON ${child.name} . ${key} = ${parent.name} . id WHERE ${child.name} . ${condition}`,
    };
  },
  nested: (schema, choose) => {
    const { parent, child } = schema;
    const column = choose(['name', ...parent.text]);
    const [without, not] = choose([['without', 'NOT IN'] as const, ['with', 'IN'] as const]);
    const [words, condition] = comparison(child, choose);
    const key = parentKey(schema);
    return {
      question: `the ${column} of each ${parent.name} ${without} a ${child.name} whose ${words}`,
      steps: [
        `show ${column}`,
        `from ${parent.name}`,
        `where id ${not} ${key}`,
        `of ${child.name}`,
        `where ${condition}`,
      ],
      sql: `SELECT ${column} FROM ${parent.name} WHERE id ${not} ( SELECT ${key} FROM ${child.name} WHERE ${condition} )`,
    };
  },
};

/** How many questions of a kind a schema has: the product of the choices. */
export function variantsOf(kind: string): number {
  let product = 1;
  KINDS[kind]!(schemaAt(0), (list) => {
    product *= list.length;
    return list[0]!;
  });
  return product;
}

/** The question with this number, 0 ≤ variant < {@link variantsOf}. */
export function ask(kind: string, schema: FamilySchema, variant: number): Asked {
  let left = variant;
  return KINDS[kind]!(schema, (list) => {
    const chosen = list[left % list.length]!;
    left = Math.floor(left / list.length);
    return chosen;
  });
}

/** Every word of prompts and completions. */
export const WORDS: string[] = [
  ...new Set(
    [
      ...PARENTS.flatMap((name) => [name, `${name}_id`]),
      ...[...CHILDREN, ...NUMBERS, ...Object.keys(TEXTS), 'id', 'name'],
      ...Object.values(TEXTS).flatMap((values) => values.map((value) => `'${value}'`)),
      ...Array.from({ length: VALUES.to }, (_, at) => String(at + 1)),
      ...[...RELATIONS, ...AGGREGATES, ...ENDS].flatMap((pair) => pair.flatMap((words) => words.split(' '))),
      ...'the of each whose is for with without a show from where order limit group having join on count'.split(' '),
      ...'SELECT FROM WHERE ORDER GROUP BY HAVING LIMIT JOIN ON NOT IN ( ) * , . = ? hint'.split(' '),
    ].sort(),
  ),
];

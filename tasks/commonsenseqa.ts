/**
 * CommonsenseQA (Talmor et al., arXiv:1811.00937): everyday questions with five choices, the paper's task in words.
 *
 *   Q: Where would you expect to find a pizzeria while shopping? … A: … Therefore, the answer is food court (b).
 *
 * Form of the prompts: tasks/multiple-choice.ts. The examples are our own. Seeds are human rationales, where there are some:
 * CoS-E (Rajani et al., arXiv:1906.02361) or ECQA (Aggarwal et al., ACL 2021), joined by question and answer. CoS-E is
 * noisy: of fewer than five words, or off topic by its own stock phrases, it is left out.
 *
 * The published test side has no labels: dev is test here, and a tenth of train is dev, as the paper has it.
 */
import { z } from 'zod';
import { DatasetParameters, noRows } from './dataset.ts';
import { choiceRow, multipleChoice } from './multiple-choice.ts';
import type { ChoiceExample } from './multiple-choice.ts';
import { pretrainedDefaults } from './pretrained.ts';
import type { Task } from './task.ts';

const Row = z.object({
  answerKey: z.string().regex(/^[A-E]$/),
  question: z.object({
    stem: z.string().min(1),
    choices: z.array(z.object({ label: z.string(), text: z.string() })).min(2),
  }),
});
const Explanation = z.object({ question: z.string(), answer: z.string(), rationale: z.string() });
const Parameters = DatasetParameters.extend({ seeds: z.int().min(0).default(64) });
const MAX_NEW_TOKENS = 96;

const EXAMPLES: ChoiceExample[] = [
  {
    question: 'The rain had soaked his coat, so where did he hang it?',
    choices: ['oven', 'radiator', 'drawer', 'lake', 'letter box'],
    right: 'radiator',
    rationale:
      'The answer must be a place where a wet coat can hang and dry. Of the choices, only a radiator is warm and has room for a coat.',
  },
  {
    question: 'What does a person who has just run a long race most want to do?',
    choices: ['run again', 'sing', 'rest', 'paint', 'argue'],
    right: 'rest',
    rationale:
      'The answer must be what a tired body asks for. A long race makes people tired, and tired people want to rest.',
  },
  {
    question: 'If a shop has sold all of its bread, what will a late customer feel?',
    choices: ['disappointed', 'sleepy', 'rich', 'proud', 'dizzy'],
    right: 'disappointed',
    rationale:
      'The answer must be a feeling of somebody who does not get what he came for. Who hoped for bread and finds none is disappointed.',
  },
  {
    question: 'Where would you look for a chalk mark of the last lesson?',
    choices: ['pillow', 'river', 'kitchen sink', 'sky', 'blackboard'],
    right: 'blackboard',
    rationale:
      'The answer must be something in a classroom that is written on with chalk. Teachers write with chalk on a blackboard.',
  },
  {
    question: 'What do you need in order to look at a small insect closely?',
    choices: ['hammer', 'blanket', 'trumpet', 'magnifying glass', 'ladder'],
    right: 'magnifying glass',
    rationale: 'The answer must be a tool that makes small things look large. A magnifying glass does that.',
  },
  {
    question: 'The two brothers shared the last apple so that neither would be what?',
    choices: ['tall', 'hungry', 'early', 'married', 'famous'],
    right: 'hungry',
    rationale: 'The answer must be something that eating prevents. An apple is food, and who eats is not hungry.',
  },
];

const commonsenseqa: Task<z.infer<typeof Parameters>> = {
  ...noRows,
  ...multipleChoice(EXAMPLES),
  id: 'commonsenseqa',
  title: 'CommonsenseQA: everyday questions with five choices',
  parameters: Parameters,
  dataset: {
    source:
      'CommonsenseQA from tau-nlp.org/commonsenseqa (train_rand_split.jsonl as train.jsonl, dev_rand_split.jsonl as dev.jsonl)',
    files: () => [
      { path: 'commonsenseqa/train.jsonl', side: 'train' },
      { path: 'commonsenseqa/dev.jsonl', side: 'test' },
      { path: 'rationales/ecqa_train.jsonl', side: 'rationales', optional: true },
      { path: 'rationales/cose_triples_train.jsonl', side: 'rationales', optional: true },
    ],
    row: (json) => {
      const { question, answerKey } = Row.parse(json);
      const choices = question.choices.map(({ label, text }) => ({ label: label.toLowerCase(), text: text.trim() }));
      return choiceRow(question.stem, choices, answerKey);
    },
    rationale: (json) => {
      const found = Explanation.parse(json);
      const usable =
        found.rationale.trim().split(/\s+/).length >= 5 &&
        !/webmath|designed to help|rivers flow/i.test(found.rationale);
      return usable ? found : undefined;
    },
    shots: () => EXAMPLES.map(({ question }) => question),
  },
  maxNewTokens: () => MAX_NEW_TOKENS,
  defaults: pretrainedDefaults,
  judging: { trusted: true },
  modules: [new URL(import.meta.url)],
};
export default commonsenseqa;

/**
 * MedQA (Jin et al., arXiv:2009.13081): questions of the United States Medical Licensing Examination, four or five choices.
 *
 *   Q: A 23-year-old pregnant woman … Which of the following is the best treatment? … Therefore, the answer is … (e).
 *
 * Form of the prompts: tasks/multiple-choice.ts; the examples are our own and plain school medicine. Three layouts of rows
 * are read: options by letter with the right letter (`answer_idx`), a list "A. …" with the right text, and instructions
 * ("Question: … Option A: …") with the right text.
 */
import { z } from 'zod';
import { DatasetParameters, noRows } from './dataset.ts';
import { choiceRow, lettered, multipleChoice } from './multiple-choice.ts';
import type { ChoiceExample } from './multiple-choice.ts';
import { pretrainedDefaults } from './pretrained.ts';
import type { Task } from './task.ts';

const ByLetter = z.object({ question: z.string(), options: z.record(z.string(), z.string()), answer_idx: z.string() });
const Listed = z.object({ question: z.string(), options: z.array(z.string()).min(2), answer: z.string() });
const Instructed = z.object({ instances: z.object({ input: z.string(), output: z.string() }) });
const MAX_NEW_TOKENS = 256;

const EXAMPLES: ChoiceExample[] = [
  {
    question:
      'A 6-year-old boy has had a barking cough and a hoarse voice since last night. He breathes in with a harsh sound. Which part of the airway is most likely narrowed?',
    choices: ['Alveoli', 'Larynx', 'Bronchioles', 'Nasal cavity'],
    right: 'Larynx',
    rationale:
      'The answer must be a place whose swelling makes the voice hoarse and the breath harsh while breathing in. The vocal cords lie in the larynx, and swelling there gives a barking cough.',
  },
  {
    question:
      'A 58-year-old woman who takes a loop diuretic for heart failure complains of weakness and cramps. Which electrolyte is most likely low?',
    choices: ['Chloride alone', 'Phosphate', 'Potassium', 'Magnesium alone'],
    right: 'Potassium',
    rationale:
      'The answer must be what a loop diuretic makes the kidney lose and what muscles need. These drugs waste potassium, and a lack of it gives weakness and cramps.',
  },
  {
    question:
      'A 30-year-old man eats no meat, eggs or milk. After years he has large red cells and numb feet. Which vitamin does he lack?',
    choices: ['Vitamin B12', 'Vitamin C', 'Vitamin D', 'Vitamin K'],
    right: 'Vitamin B12',
    rationale:
      'The answer must be a vitamin that comes from animal food, and whose lack harms both red cells and nerves. That is vitamin B12.',
  },
  {
    question:
      'A 25-year-old woman has pale, itching bumps minutes after a bee sting. Which substance from mast cells causes them?',
    choices: ['Insulin', 'Thyroxine', 'Albumin', 'Histamine'],
    right: 'Histamine',
    rationale:
      'The answer must be something mast cells release at once that makes vessels leak and skin itch. Mast cells store histamine, which does both.',
  },
];

const medqa: Task<DatasetParameters> = {
  ...noRows,
  ...multipleChoice(EXAMPLES),
  id: 'medqa',
  title: 'MedQA: questions of a medical examination',
  parameters: DatasetParameters,
  dataset: {
    source: 'MedQA from github.com/jind11/MedQA as JSON lines (test.jsonl, a train file and, if you like, a dev file)',
    files: () => [
      { path: 'medqa/test.jsonl', side: 'test' },
      { path: 'medqa/train.jsonl', side: 'train', optional: true },
      { path: 'medqa/train_1030.jsonl', side: 'train', optional: true },
      { path: 'medqa/train_1000_5options.jsonl', side: 'train', optional: true },
      { path: 'medqa/dev.jsonl', side: 'dev', optional: true },
      { path: 'medqa/dev_5options.jsonl', side: 'dev', optional: true },
    ],
    row: (json) => {
      const byLetter = ByLetter.safeParse(json);
      if (byLetter.success) {
        const { question, options, answer_idx } = byLetter.data;
        return choiceRow(
          question,
          lettered(
            Object.keys(options)
              .sort()
              .map((key) => options[key]!),
          ),
          answer_idx,
        );
      }
      const instructed = Instructed.safeParse(json);
      if (instructed.success) {
        const { input, output } = instructed.data.instances;
        const [question = '', ...options] = input.split(/\s*\n\s*Option [A-H]:/);
        return choiceRow(question.replace(/^Question:\s*/, ''), lettered(options), output.trim());
      }
      const { question, options, answer } = Listed.parse(json);
      return choiceRow(question, lettered(options.map((option) => option.replace(/^[A-H]\.\s*/, ''))), answer.trim());
    },
    shots: () => EXAMPLES.map(({ question }) => question),
  },
  maxNewTokens: () => MAX_NEW_TOKENS,
  defaults: pretrainedDefaults,
  judging: { trusted: true },
  modules: [new URL(import.meta.url)],
};
export default medqa;

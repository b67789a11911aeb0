/**
 * Where the Hugging Face Hub has the files of a data set, and under which names the tasks read them (tasks/dataset.ts).
 *
 *   HUB.gsm8k   // { repo: 'openai/gsm8k', files: [{ from: /^main\/train-…\.parquet$/, to: 'gsm8k/train.jsonl' }, …] }
 *
 * Not here: `legalbench` and `spider`, which the Hub has in archives of another layout; docs/howto/datasets.md says where from.
 */
import { z } from 'zod';

export interface HubDataset {
  /** `owner/name` of a data set on the Hub. */
  repo: string;
  files: {
    /** Its paths there: one JSON-lines file, or Parquet files whose rows follow one another in the order of their names. */
    from: RegExp;
    /** Inside the folder of data sets. */
    to: string;
    /** A row as the task reads it; absent: as it is. */
    row?: (row: unknown) => unknown;
  }[];
}

/** The Hub has the choices as two lists; the publisher, and the task, as a list of both. */
const CommonsenseRow = z.object({
  id: z.string(),
  question: z.string(),
  question_concept: z.string(),
  choices: z.object({ label: z.array(z.string()), text: z.array(z.string()) }),
  answerKey: z.string(),
});
function commonsenseRow(row: unknown): unknown {
  const { id, question, question_concept, choices, answerKey } = CommonsenseRow.parse(row);
  return {
    answerKey,
    id,
    question: {
      question_concept,
      choices: choices.label.map((label, index) => ({ label, text: choices.text[index] })),
      stem: question,
    },
  };
}

export const HUB: Record<string, HubDataset> = {
  gsm8k: {
    repo: 'openai/gsm8k',
    files: [
      { from: /^main\/train-[\w-]+\.parquet$/, to: 'gsm8k/train.jsonl' },
      { from: /^main\/test-[\w-]+\.parquet$/, to: 'gsm8k/test.jsonl' },
    ],
  },
  // Its test file has no answers; as the paper does, dev is what is tested on.
  commonsenseqa: {
    repo: 'tau/commonsense_qa',
    files: [
      { from: /^data\/train-[\w-]+\.parquet$/, to: 'commonsenseqa/train.jsonl', row: commonsenseRow },
      { from: /^data\/validation-[\w-]+\.parquet$/, to: 'commonsenseqa/dev.jsonl', row: commonsenseRow },
    ],
  },
  medqa: {
    repo: 'GBaker/MedQA-USMLE-4-options',
    files: [
      { from: /^phrases_no_exclude_train\.jsonl$/, to: 'medqa/train.jsonl' },
      { from: /^phrases_no_exclude_test\.jsonl$/, to: 'medqa/test.jsonl' },
    ],
  },
  math: {
    repo: 'HuggingFaceH4/MATH-500',
    files: [{ from: /^test\.jsonl$/, to: 'math/math500.jsonl' }],
  },
};

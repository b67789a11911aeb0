/**
 * What the paper reports (STaR, arXiv:2203.14465, GPT-J 6B unless said otherwise), to stand beside runs on the same task. Other
 * model, other sizes: a row to look at, not one to be held against.
 */
export interface Published {
  method: string;
  /** The recipe that stands for it; null = another model, which no run here repeats. */
  recipe: string | null;
  /** Percent. */
  accuracy: number;
  /** Share of the training data used, percent; null = none or not said. */
  used: number | null;
}

export interface PublishedTable {
  /** The paper, where in it, and what was tested. */
  source: string;
  rows: Published[];
}

export const PUBLISHED: Record<string, PublishedTable> = {
  commonsenseqa: {
    source: 'arXiv:2203.14465 §4.4, table 1: CommonsenseQA dev',
    rows: [
      { method: 'GPT-J few-shot direct', recipe: 'few-shot-direct', accuracy: 20.9, used: null },
      { method: 'GPT-J few-shot CoT', recipe: 'few-shot-cot', accuracy: 36.6, used: null },
      { method: 'LaMDA 137B few-shot CoT', recipe: null, accuracy: 55.6, used: null },
      { method: 'GPT-J direct fine-tuned', recipe: 'direct-fine-tune', accuracy: 60.0, used: 100 },
      { method: 'STaR without rationalization', recipe: 'star-without-hints', accuracy: 68.8, used: 69.7 },
      { method: 'STaR', recipe: 'star', accuracy: 72.5, used: 86.7 },
      { method: 'GPT-3 direct fine-tuned', recipe: null, accuracy: 73.0, used: 100 },
    ],
  },
  gsm8k: {
    source: 'arXiv:2203.14465 §4.5, table 2: GSM8K test',
    rows: [
      { method: 'GPT-J few-shot direct', recipe: 'few-shot-direct', accuracy: 3.0, used: null },
      { method: 'GPT-J few-shot CoT', recipe: 'few-shot-cot', accuracy: 3.1, used: null },
      { method: 'GPT-J direct fine-tuned', recipe: 'direct-fine-tune', accuracy: 5.8, used: 100 },
      { method: 'STaR without rationalization', recipe: 'star-without-hints', accuracy: 10.1, used: 25.0 },
      { method: 'STaR', recipe: 'star', accuracy: 10.7, used: 28.7 },
    ],
  },
  addition: {
    source: 'arXiv:2203.14465 §4.3, in the text: 1 to 5 digits, STaR after 16 iterations, direct after 5,000 steps',
    rows: [
      { method: 'GPT-J direct fine-tuned', recipe: 'direct-fine-tune', accuracy: 76.3, used: 100 },
      { method: 'STaR', recipe: 'star', accuracy: 89.5, used: null },
    ],
  },
};

/** What the paper reports of a method on a task; undefined where it reports nothing, or the method is none of its own. */
export const publishedOf = (task: string, recipe: string): Published | undefined =>
  PUBLISHED[task]?.rows.find((row) => row.recipe === recipe);

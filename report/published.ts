/**
 * What the paper reports (STaR, arXiv:2203.14465, GPT-J 6B unless said otherwise), to stand beside runs on the same task. Other
 * model, other sizes: a row to look at, not one to be held against.
 */
export interface Published {
  method: string;
  /** Percent. */
  accuracy: number;
  /** Share of the training data used, percent; null = none or not said. */
  used: number | null;
}

export const PUBLISHED: Record<string, { source: string; rows: Published[] }> = {
  commonsenseqa: {
    source: 'arXiv:2203.14465 §4.4, table 1: CommonsenseQA dev',
    rows: [
      { method: 'GPT-J few-shot direct', accuracy: 20.9, used: null },
      { method: 'GPT-J few-shot CoT', accuracy: 36.6, used: null },
      { method: 'LaMDA 137B few-shot CoT', accuracy: 55.6, used: null },
      { method: 'GPT-J direct fine-tuned', accuracy: 60.0, used: 100 },
      { method: 'STaR without rationalization', accuracy: 68.8, used: 69.7 },
      { method: 'STaR', accuracy: 72.5, used: 86.7 },
      { method: 'GPT-3 direct fine-tuned', accuracy: 73.0, used: 100 },
    ],
  },
  gsm8k: {
    source: 'arXiv:2203.14465 §4.5, table 2: GSM8K test',
    rows: [
      { method: 'GPT-J few-shot direct', accuracy: 3.0, used: null },
      { method: 'GPT-J few-shot CoT', accuracy: 3.1, used: null },
      { method: 'GPT-J direct fine-tuned', accuracy: 5.8, used: 100 },
      { method: 'STaR without rationalization', accuracy: 10.1, used: 25.0 },
      { method: 'STaR', accuracy: 10.7, used: 28.7 },
    ],
  },
  addition: {
    source: 'arXiv:2203.14465 §4.3: 1 to 5 digits, after 16 iterations',
    rows: [
      { method: 'GPT-J direct fine-tuned', accuracy: 76.3, used: 100 },
      { method: 'STaR', accuracy: 89.5, used: null },
    ],
  },
};

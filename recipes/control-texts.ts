/** What each control takes away and what it is asked, in words for reports; the graphs are made in recipes/controls.ts. */
export interface ControlText {
  away: string;
  asks: string;
}

export const CONTROL_TEXTS: Record<string, ControlText> = {
  unfiltered: {
    away: 'the filter: it trains on as many rows, drawn from all samples',
    asks: 'Is it the verifier, or more text of its own?',
  },
  'shuffled-gold': {
    away: "right answers: each problem is judged by another's",
    asks: 'Is it right answers, or any rule to keep some by?',
  },
  'seeds-only': {
    away: 'rows of its own: it trains on the seed rationales alone, for as many steps',
    asks: 'Is it more steps on what it was given?',
  },
  'hint-only': {
    away: 'free samples: every rationale is made with the answer shown',
    asks: 'Does it learn to solve, or to explain?',
  },
  untrained: { away: 'training: the base is evaluated again, anew', asks: 'Does the evaluation say the same twice?' },
  'shuffled-labels': {
    away: "which of a problem's rationales are right, where a verifier or a reward learns from them",
    asks: 'Is it what is right, or any preference?',
  },
  pause: {
    away: 'what is thought: as many tokens before each token, all alike',
    asks: 'Is it thoughts, or the computing that they make room for?',
  },
  silent: {
    away: 'thoughts: the text alone is learnt, for as many steps',
    asks: 'Is it more steps on the text?',
  },
  'random-tools': {
    away: 'what tools say in the evaluation: their digits are drawn',
    asks: 'Does it need the results, or the way of writing?',
  },
};

/** `star-unfiltered` → the text of `unfiltered`; undefined where the recipe is no control that is described. */
export const controlTextOf = (recipe: string): ControlText | undefined =>
  Object.entries(CONTROL_TEXTS).find(([name]) => recipe.endsWith(`-${name}`))?.[1];

/** What each task of LegalBench asks, its labels, and four worked examples: our own words, none from the published prompts. */

export interface LegalQuestion {
  /** Stands before the text. */
  rule: string;
  /** Stands behind the text. */
  asks: string;
  labels: readonly string[];
  /** Text, reasoning, label. */
  examples: readonly (readonly [text: string, rationale: string, label: string])[];
}

const YES_NO = ['Yes', 'No'] as const;

const diversity: LegalQuestion = {
  rule: 'A federal court has diversity jurisdiction if no plaintiff shares a state with a defendant and one plaintiff claims more than $75,000 from one defendant in all.',
  asks: 'Is there diversity jurisdiction?',
  labels: YES_NO,
  examples: [
    [
      'Pia is from Iowa. Hugo is from Maine. Pia sues Hugo for negligence for $80,000.',
      'Iowa and Maine are two states, so the parties are diverse. $80,000 is more than $75,000.',
      'Yes',
    ],
    [
      'Nils is from Idaho. Rosa is from Idaho. Nils sues Rosa for fraud for $300,000.',
      'Both are from Idaho, so the parties are not diverse, whatever is claimed.',
      'No',
    ],
    [
      'Ines is from Ohio. Omar is from Texas. Ines sues Omar for libel for $40,000 and trespass for $30,000.',
      'Ohio and Texas are two states, so the parties are diverse. One plaintiff may add up claims: $40,000 and $30,000 are $70,000, not more than $75,000.',
      'No',
    ],
    [
      'Jon is from Utah. Edda is from Oregon. Karl is from Kansas. Jon and Edda both sue Karl for battery for $50,000 and fraud for $45,000.',
      'Neither Utah nor Oregon is Kansas, so the parties are diverse. Each claims $50,000 and $45,000, which is $95,000, more than $75,000.',
      'Yes',
    ],
  ],
};

export const QUESTIONS = {
  abercrombie: {
    rule: 'A mark is generic if it is what the product is called; descriptive if it names a quality of it; suggestive if it hints at one and needs a thought; arbitrary if it is a word that has nothing to do with it; fanciful if it is no word at all.',
    asks: 'Which kind of mark is it?',
    labels: ['generic', 'descriptive', 'suggestive', 'arbitrary', 'fanciful'],
    examples: [
      ['The mark "Chair" for seats with a back.', 'Such seats are called chairs.', 'generic'],
      [
        'The mark "Lantern" for a brand of yoghurt.',
        'Lantern is a word, and it has nothing to do with yoghurt.',
        'arbitrary',
      ],
      ['The mark "Zorvix" for running shoes.', 'Zorvix is no word; it was made up.', 'fanciful'],
      [
        'The mark "Featherstep" for light boots.',
        'It takes a thought to get from a feather to boots that weigh little.',
        'suggestive',
      ],
      ['The mark "Quick Dry" for paint.', 'It says of the paint that it dries quickly.', 'descriptive'],
    ],
  },
  hearsay: {
    rule: 'Hearsay is what somebody said or meant to say outside the court, brought in to prove that it is true.',
    asks: 'Is this evidence hearsay?',
    labels: YES_NO,
    examples: [
      [
        'To prove that the lamp was green, a letter in which Olaf wrote that it was green.',
        'The letter was written outside the court, and it is to prove just what it says.',
        'Yes',
      ],
      [
        'To prove that Greta could speak on Monday, the fact that she told Finn on Monday that she was cold.',
        'That she spoke is enough, whether or not she was cold.',
        'No',
      ],
      [
        'On the issue of whether the road was icy, the fact that several cars slid on it.',
        'Cars that slide say nothing and mean to say nothing.',
        'No',
      ],
      [
        'To prove who broke the vase, the fact that Ada pointed at Bo when asked who had done it.',
        'Pointing was her answer, given outside the court, and it is to prove that Bo did it.',
        'Yes',
      ],
    ],
  },
  overruling: {
    rule: 'A sentence overrules a case if it sets aside, in whole or in part, what an earlier decision held.',
    asks: 'Does the sentence overrule an earlier case?',
    labels: YES_NO,
    examples: [
      [
        'we no longer follow the rule of that decision, and to this extent it is overruled.',
        'It says that the earlier decision is overruled.',
        'Yes',
      ],
      [
        'the notice was sent to the tenant by post on the third of may.',
        'It tells a fact and speaks of no decision.',
        'No',
      ],
      ['see north v. south, 12 x.2d 34, 56 (1970).', 'It only cites a case.', 'No'],
      [
        'so far as earlier opinions of this court say otherwise, we disapprove them today.',
        'To disapprove earlier opinions is to set them aside.',
        'Yes',
      ],
    ],
  },
  diversity_1: diversity,
  diversity_3: diversity,
  diversity_6: diversity,
  cuad_audit_rights: {
    rule: 'A clause gives a right to audit if one party may look at books, records or places of the other to see that the contract is kept.',
    asks: 'Does the clause give a right to audit?',
    labels: YES_NO,
    examples: [
      [
        'Once a year the Buyer may send an accountant to check the books of the Seller.',
        'The Buyer may check the books of the Seller.',
        'Yes',
      ],
      ['The Seller shall deliver the goods within ten days.', 'It is about delivery; nobody may check anything.', 'No'],
      [
        'Owner may on two days of notice enter the plant of Maker and examine its records of production.',
        'Owner may examine records and the plant of Maker.',
        'Yes',
      ],
      ['Each party shall insure its own buildings.', 'It is about insurance.', 'No'],
    ],
  },
  'cuad_anti-assignment': {
    rule: 'A clause restricts assignment if a party must ask or tell the other before it hands the contract to somebody else.',
    asks: 'Does the clause restrict assignment?',
    labels: YES_NO,
    examples: [
      [
        'Neither party may transfer this contract unless the other has agreed in writing.',
        'A transfer needs the agreement of the other.',
        'Yes',
      ],
      ['Payments are due on the last day of each month.', 'It is about payments.', 'No'],
      [
        'Maker shall tell Owner thirty days before it passes its rights to a third party.',
        'Owner must be told before rights are passed on.',
        'Yes',
      ],
      ['This contract may be signed in several copies.', 'It is about copies.', 'No'],
    ],
  },
  cuad_governing_law: {
    rule: 'A clause names the governing law if it says which state or country has the law that the contract is read by.',
    asks: 'Does the clause name the governing law?',
    labels: YES_NO,
    examples: [
      ['The laws of Norway apply to this contract.', 'It says that the laws of Norway apply.', 'Yes'],
      [
        'Maker shall obey all laws that apply to its trade.',
        'It asks to obey laws, but does not say by which law the contract is read.',
        'No',
      ],
      [
        'Everything in this agreement shall be read by the law of the State of Maine.',
        'It names the law of Maine.',
        'Yes',
      ],
      ['The goods are kept in a store in Chile.', 'It names a country, but no law.', 'No'],
    ],
  },
} as const satisfies Record<string, LegalQuestion>;

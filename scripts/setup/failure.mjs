/**
 * A set-up step that failed in a way somebody can cure. It is printed as one sentence:
 * `set-up: TensorFlow failed: no C++ compiler found (tried g++, c++, clang++). Cure: apt-get install g++, then npm run setup.`
 */
export class SetupFailure extends Error {
  /**
   * @param {string} what what failed, where, and what was found
   * @param {string} cure what to do about it
   */
  constructor(what, cure) {
    super(what);
    this.name = 'SetupFailure';
    this.cure = cure;
  }
}

/** The sentence of any error, with its cure where it has one. */
export const sentence = (error) => {
  const what = error instanceof Error ? error.message : String(error);
  const cure = error instanceof SetupFailure ? error.cure : undefined;
  return cure === undefined ? what : `${what.replace(/\.$/, '')}. Cure: ${cure}`;
};

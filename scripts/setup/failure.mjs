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

/** Cures for what the system itself reports, wherever it happens. */
const systemCures = {
  ENOSPC: 'make room (set-up needs about 1.2 GB in the cache and 800 MB in the checkout), then run set-up again',
  EDQUOT: 'make room within your quota (about 1.2 GB in the cache, 800 MB in the checkout), then run set-up again',
  EACCES: 'make that place writable for you, or point XDG_CACHE_HOME elsewhere, then run set-up again',
  EPERM: 'make that place writable for you, or point XDG_CACHE_HOME elsewhere, then run set-up again',
  EROFS: 'make that place writable, or point XDG_CACHE_HOME elsewhere, then run set-up again',
};

/** The sentence of any error, with its cure where it has one. */
export const sentence = (error) => {
  const what = error instanceof Error ? error.message : String(error);
  const cure = error instanceof SetupFailure ? error.cure : systemCures[error?.code];
  return cure === undefined ? what : `${what.replace(/\.$/, '')}. Cure: ${cure}`;
};

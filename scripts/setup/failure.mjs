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

/**
 * Tries `sources` in turn. One source fails with its own error and cure; several fail together, with each one's reason.
 *
 * @template T
 * @param {{ thing: string, sources: readonly string[], cure: string, note: (line: string) => void }} options
 *   `thing`: what is to be had; `cure`: for when all fail; `note`: told of each failure that has a next source
 * @param {(source: string) => Promise<T>} attempt
 * @returns {Promise<T>}
 */
export const firstThatWorks = async ({ thing, sources, cure, note }, attempt) => {
  const reasons = [];
  for (const [at, source] of sources.entries()) {
    try {
      return await attempt(source);
    } catch (error) {
      if (sources.length === 1) throw error;
      reasons.push(`${source}: ${error.message}`);
      if (at + 1 < sources.length) note(`no ${thing} from ${source} (${error.message}); trying ${sources[at + 1]}`);
    }
  }
  throw new SetupFailure(`no ${thing} could be had (${reasons.join('; ')})`, cure);
};

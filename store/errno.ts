/** The system's name of an error, e.g. ENOENT; undefined where it has none. */
export const errno = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

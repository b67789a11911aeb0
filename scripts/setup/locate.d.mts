/** Types of locate.mjs, for the TypeScript that imports it. */

/** The checkout that set-up belongs to, absolute. */
export function projectFolder(): string;
/** Folder of everything set-up downloads or builds: `$XDG_CACHE_HOME/startrail` or the platform's own cache folder. */
export function cacheFolder(env?: NodeJS.ProcessEnv): string;
/** The `@tensorflow/tfjs-node-gpu` package folder. */
export function bindingPackage(root?: string): string;
/** Where the package looks for its binding, whether it is there or not. */
export function bindingPlace(root?: string): string;
/** The binding, if it is in place. */
export function locateBinding(root?: string): string | undefined;
export function stampFile(root?: string): string;
/** What the last good set-up wrote down. */
export function readStamp(root?: string): Record<string, unknown> | undefined;
export function cachedTemporal(source: string, env?: NodeJS.ProcessEnv): string;
export function onPath(name: string, env?: NodeJS.ProcessEnv): string | undefined;
export const temporalSources: readonly string[];
/** The Temporal CLI with its server: STARTRAIL_TEMPORAL, what set-up settled on, PATH, the cache; undefined: run set-up. */
export function locateTemporal(env?: NodeJS.ProcessEnv, root?: string): string | undefined;

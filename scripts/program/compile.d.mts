/** Types of compile.mjs, for the TypeScript that imports it. */

/** Every source of the program, by its path from the checkout, sorted. */
export function sources(root: string): string[];
/** File of a compiled entry, made now if need be. Throws where it cannot be made. */
export function compiled(entry: string, root?: string): Promise<string>;

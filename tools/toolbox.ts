/**
 * The tools as an engine holds them: asked by name, answering with a short text.
 *
 *   const toolbox = openToolbox();
 *   await toolbox.run({ tool: 'calculator', asked: '347*582' })    // '201954'
 *   toolbox.close();
 *
 * Deterministic: same call, same text. @throws ToolUnavailable where a tool itself is out of order.
 */
import { calculate } from './calculator.ts';
import type { Call } from './calls.ts';
import { createProgramRunner } from './program.ts';
import type { ProgramRunner } from './program.ts';

export interface Toolbox {
  run(call: Call, options?: { signal?: AbortSignal | undefined }): Promise<string>;
  close(): void;
}

export function openToolbox(): Toolbox {
  let programs: ProgramRunner | undefined;
  return {
    async run({ tool, asked }, options) {
      switch (tool) {
        case 'calculator':
          return calculate(asked);
        case 'program':
          return (programs ??= createProgramRunner()).run(asked, options);
      }
    },
    close: () => programs?.close(),
  };
}

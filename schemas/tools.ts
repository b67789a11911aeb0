/**
 * Tools that a model may call while it writes: their names, and what is remembered of a call.
 *
 *   { tool: 'calculator', from: 9, to: 16 }     // tokens 9 … 15 of a completion are what the calculator said
 *
 * How a call looks is known to tools/calls.ts. Source: START, arXiv:2503.04625.
 */
import { z } from 'zod';

/** `calculator`: exact arithmetic; `program`: JavaScript in a sandbox. */
export const ToolName = z.enum(['calculator', 'program']);
export type ToolName = z.infer<typeof ToolName>;

/** Enters the memo keys of stages that use tools, and of no others: raise it when a tool answers differently. */
export const TOOLS_VERSION = 2;

/** START allows six. */
export const MOST_CALLS = 6;

/** Tokens [from, to) of a completion that a tool gave: never learnt. */
export const CallSpan = z.strictObject({
  tool: ToolName,
  from: z.int().nonnegative(),
  to: z.int().nonnegative(),
});
export type CallSpan = z.infer<typeof CallSpan>;

/** What a stage that samples may say of tools; all of it absent = no tools, and then in no memo key. */
export const toolOptions = {
  tools: z.array(ToolName).min(1).optional(),
  /** Calls of one text that are answered; absent = 6. What comes behind them the model has to work out itself. */
  toolCalls: z.int().min(1).max(100).optional(),
  /** A control: every digit of what a tool says is drawn, so that what a model does with results can be told from having them. */
  toolOutput: z.literal('random').optional(),
};

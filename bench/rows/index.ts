/** All rows, in the order they are measured and shown. A new row is a file here and a line below. */
import type { Row } from '../row.ts';
import fanOutMillion from './fan-out-million.ts';
import generateSmollm2 from './generate-smollm2.ts';
import generateSmollm2Plain from './generate-smollm2-plain.ts';
import generateTiny from './generate-tiny.ts';
import generateTinyPlain from './generate-tiny-plain.ts';
import orchestrationOverhead from './orchestration-overhead.ts';
import peakMemory from './peak-memory.ts';
import resumeSeconds from './resume-seconds.ts';
import shardOverhead from './shard-overhead.ts';
import startToFirstActivity from './start-to-first-activity.ts';
import trainD256 from './train-d256.ts';
import trainD64 from './train-d64.ts';
import trainSmollm2Lora from './train-smollm2-lora.ts';

export const rows: readonly Row[] = [
  trainD64,
  trainD256,
  trainSmollm2Lora,
  generateTiny,
  generateSmollm2,
  generateTinyPlain,
  generateSmollm2Plain,
  orchestrationOverhead,
  peakMemory,
  resumeSeconds,
  startToFirstActivity,
  shardOverhead,
  fanOutMillion,
];

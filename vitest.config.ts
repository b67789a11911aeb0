/**
 * `npm test` is what a newcomer runs, so it holds the quick suites only. The long ones have names of their own:
 * `npm run test:slow` (any `*.slow.test.ts`), `npm run test:chaos` (`test/chaos/`) and `npm run test:siege` (`test/siege/`), chosen
 * by vitest's mode.
 */
import { configDefaults, defineConfig } from 'vitest/config';

const slow = 'test/**/*.slow.test.ts';
const chaos = 'test/chaos/**/*.test.ts';
const siege = 'test/siege/**/*.test.ts';
const suites: Record<string, { include: string[]; exclude: string[]; testTimeout: number }> = {
  test: { include: ['test/**/*.test.ts'], exclude: [slow, chaos, siege], testTimeout: 30_000 },
  slow: { include: [slow], exclude: [chaos], testTimeout: 20 * 60_000 },
  chaos: { include: [chaos], exclude: [], testTimeout: 20 * 60_000 },
  siege: { include: [siege], exclude: [], testTimeout: 20 * 60_000 },
};

export default defineConfig(({ mode }) => {
  const suite = suites[mode];
  if (suite === undefined) throw new Error(`vitest --mode ${mode}: expected one of ${Object.keys(suites).join(', ')}`);
  return {
    test: {
      ...suite,
      exclude: [...configDefaults.exclude, ...suite.exclude],
      hookTimeout: 120_000,
      // Tests start servers and engines of several threads each; more files at once only make each other time out.
      maxWorkers: mode === 'test' ? 2 : 1,
      // Else the S3 client prints eight lines about Node 20 in every file that loads it.
      env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
      // Native libraries (TensorFlow, the SDK's core) want a process, not a worker thread.
      pool: 'forks',
    },
  };
});

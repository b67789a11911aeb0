import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { provideDependencies } from '../../scripts/setup/dependencies.mjs';

it('a linked node_modules that is not in line is refused, and what it leads to stays', async () => {
  const root = mkdtempSync(join(tmpdir(), 'startrail-link-'));
  const theirs = mkdtempSync(join(tmpdir(), 'startrail-theirs-'));
  writeFileSync(join(root, 'package-lock.json'), '{"packages":{"node_modules/a":{"version":"1.0.0"}}}');
  writeFileSync(join(theirs, 'kept'), '');
  symlinkSync(theirs, join(root, 'node_modules'));
  const runner = () => Promise.reject(new Error('npm was called'));
  await expect(provideDependencies({ root, runner, onWait: () => undefined })).rejects.toThrow(
    /node_modules is a link/,
  );
  expect(existsSync(join(theirs, 'kept'))).toBe(true);
  rmSync(root, { recursive: true });
  rmSync(theirs, { recursive: true });
});

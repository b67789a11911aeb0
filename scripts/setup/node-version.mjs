/**
 * Is this Node one that Startrail runs on? Written so that even a very old Node can parse it and say so.
 * 22.0–22.12 and 21 are left out because the test runner and the linter leave them out.
 */
export const supportedNodes = '20.19 or later in 20, 22.13 or later in 22, and 23 to 26';

/** @returns {string | undefined} what is wrong with the version, or nothing */
export const nodeProblem = (version = process.versions.node) => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 13) || major >= 23;
  return fits ? undefined : `Node ${version} at ${process.execPath} does not run Startrail (${supportedNodes} do)`;
};

export const nodeCure = 'install Node 24 (for example `nvm install 24`), put it on PATH, then run this again';

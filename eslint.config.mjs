/** Type-aware lint for TypeScript; plain JavaScript (set-up and this file) is checked without types. */
import tseslint from 'typescript-eslint';

const nodeGlobals = [
  'Buffer',
  'URL',
  'WebAssembly',
  'clearTimeout',
  'console',
  'fetch',
  'performance',
  'process',
  'setInterval',
  'setTimeout',
  'structuredClone',
];

/** What the live page's scripts find in a browser. */
const browserGlobals = [
  'DOMParser',
  'EventSource',
  'FormData',
  'URLSearchParams',
  'addEventListener',
  'document',
  'history',
  'localStorage',
  'location',
  'sessionStorage',
];

export default tseslint.config(
  { ignores: ['node_modules/', '.startrail/', 'coverage/', '**/*.d.mts'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Our interfaces are written with methods and implemented by plain objects without `this`.
      '@typescript-eslint/unbound-method': 'off',
      // An interface may promise a promise that one implementation has no need to wait for.
      '@typescript-eslint/require-await': 'off',
      eqeqeq: 'error',
      'no-constant-condition': ['error', { checkLoops: false }],
      'prefer-const': 'error',
    },
  },
  {
    // Matchers and plain JavaScript under test are typed any; what they return is judged by the assertion.
    files: ['test/**/*.ts'],
    rules: Object.fromEntries(
      [
        'no-explicit-any',
        ...['assignment', 'argument', 'call', 'member-access', 'return'].map((use) => `no-unsafe-${use}`),
      ].map((rule) => [`@typescript-eslint/${rule}`, 'off']),
    ),
  },
  {
    files: ['page/client/*.mjs'],
    languageOptions: { globals: Object.fromEntries(browserGlobals.map((name) => [name, 'readonly'])) },
  },
  {
    files: ['**/*.mjs', 'bin/startrail'],
    extends: [tseslint.configs.eslintRecommended],
    languageOptions: { globals: Object.fromEntries(nodeGlobals.map((name) => [name, 'readonly'])) },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-undef': 'error',
      'no-unused-vars': 'error',
      'prefer-const': 'error',
    },
  },
);

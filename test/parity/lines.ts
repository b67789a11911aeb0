/** Texts that tokenizers trip over, as many as are asked for: prose, code, numbers, scripts, marks, emoji, control characters. */
import { uniform } from '../../engine/tfjs/rng.ts';
import { seedOf } from '../engine/models.ts';

const WORDS =
  "the The THE don't we'LL I'm they've it'S naïve Straße İstanbul ſ K χρόνος мир привет こんにちは 世界 안녕 مرحبا ١٢٣ नमस्ते १२ ไทย שלום ｆｕｌｌ ﬁ Ⅻ ½ ² e\u0301 é a\u030a 👍🏽 👨‍👩‍👧 🇩🇪 😀 ∑ → € “quoted” … — _under_ camelCase 0x1F 3.14159 1,000,000 2024-01-31 a@b.example https://x.example/?q=1&r=2".split(
    ' ',
  );
const CODE = [
  ...[
    'def f(x):\n\treturn x**2\n',
    'if (a&&b||!c) { d[i++] = "\\n"; }',
    '<div class="x">\r\n</div>',
    '#include <stdio.h>\n\n\n',
  ],
  ...[
    'SELECT * FROM t WHERE a >= 1;--x',
    '```js\nlet x = `a${1}`;\n```',
    '    x = 1  # two  spaces\n',
    '<|im_start|>user\nhi<|im_end|>',
  ],
];
const SPACES = [
  ' ',
  ' ',
  ' ',
  '  ',
  '   ',
  '\n',
  '\n\n',
  '\t',
  '\r\n',
  ' \n ',
  '\u00a0',
  '\u3000',
  '\u2028',
  '\u0085',
  '\ufeff',
  '\u200b',
  '',
  '',
];

/** Line `n`; another `n` is another line, the same `n` the same. */
export function line(n: number): string {
  let drawn = 0;
  const next = (below: number) => Math.floor(uniform(seedOf(77), n, drawn++) * below);
  const point = () => {
    const code = [next(128), next(0x800), next(0xffff), 0x10000 + next(0xffff)][next(4)]!;
    // No half of a pair alone: that is no text.
    return code >= 0xd800 && code < 0xe000 ? '\ufffd' : String.fromCodePoint(code);
  };
  const piece = () => {
    const kind = next(10);
    if (kind < 5) return WORDS[next(WORDS.length)]!;
    if (kind < 6) return CODE[next(CODE.length)]!;
    if (kind < 8) return String(next(10 ** (1 + next(9))));
    return Array.from({ length: 1 + next(5) }, point).join('');
  };
  return Array.from({ length: 1 + next(20) }, () => piece() + SPACES[next(SPACES.length)]!).join('');
}

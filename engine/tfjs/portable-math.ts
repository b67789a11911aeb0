/**
 * exp, log, sin and cos from additions, multiplications and divisions alone.
 *
 *   exp(1)   // 2.718281828459045 on every Node
 *
 * IEEE 754 fixes the result of + − × ÷ but not of Math.exp and its kin, which differ between versions of V8; what enters a
 * token or a weight must not. Accurate to a few units in the last place over the ranges that positions and logits take.
 */
const LN2_HIGH = 0.69314718036912381649; // 33 bits: k · LN2_HIGH is exact
const LN2_LOW = 1.90821492927058770002e-10;

/** e^x; 0 below −745, Infinity above 709, NaN for NaN. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x < -745.2) return 0;
  if (x > 709.78) return Infinity;
  const k = Math.round(x / Math.LN2);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let sum = 1;
  for (let n = 14; n >= 1; n--) sum = 1 + r * sum * INVERSE[n]!;
  // In two steps: 2^k itself leaves the range of doubles before the product does.
  const half = Math.trunc(k / 2);
  return sum * powerOfTwo(half) * powerOfTwo(k - half);
}

const INVERSE = Float64Array.from({ length: 15 }, (_, n) => (n === 0 ? 0 : 1 / n));
const LARGEST_POWER = 600;
const POWERS = new Float64Array(2 * LARGEST_POWER + 1).fill(1);
for (let k = 1; k <= LARGEST_POWER; k++) {
  POWERS[LARGEST_POWER + k] = POWERS[LARGEST_POWER + k - 1]! * 2;
  POWERS[LARGEST_POWER - k] = POWERS[LARGEST_POWER - k + 1]! / 2;
}
const powerOfTwo = (k: number): number => POWERS[LARGEST_POWER + k]!;

/** Natural logarithm of a positive finite number. */
export function log(x: number): number {
  if (!(x > 0) || x === Infinity) throw new RangeError(`log of ${x}`);
  let k = 0;
  let m = x;
  while (m > 1.5) {
    m /= 2;
    k++;
  }
  while (m < 0.75) {
    m *= 2;
    k--;
  }
  // log m = 2 artanh((m − 1)/(m + 1)), |argument| ≤ 0.2
  const z = (m - 1) / (m + 1);
  let sum = 0;
  for (let n = 25; n >= 1; n -= 2) sum = 1 / n + z * z * sum;
  return k * LN2_HIGH + (k * LN2_LOW + 2 * z * sum);
}

const HALF_PI_HIGH = 1.57079632673412561417; // 33 bits
const HALF_PI_LOW = 6.07710050650619224932e-11;

/** [sin x, cos x] for |x| up to about 10⁶ (positions times frequencies). */
export function sinCos(x: number): [sin: number, cos: number] {
  const k = Math.round(x / (Math.PI / 2));
  const r = x - k * HALF_PI_HIGH - k * HALF_PI_LOW;
  let sin = 0;
  for (let n = 17; n >= 1; n -= 2) sin = 1 - ((r * r) / ((n + 1) * (n + 2))) * sin;
  sin *= r;
  let cos = 0;
  for (let n = 16; n >= 0; n -= 2) cos = 1 - ((r * r) / ((n + 1) * (n + 2))) * cos;
  switch (((k % 4) + 4) % 4) {
    case 0:
      return [sin, cos];
    case 1:
      return [cos, -sin];
    case 2:
      return [-sin, -cos];
    default:
      return [-cos, sin];
  }
}

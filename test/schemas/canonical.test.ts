import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../schemas/canonical.ts';

const json = fc.jsonValue({ maxDepth: 4 });

/** The same value with the keys of every object put in another order. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, shuffled(member)]),
  );
}

describe('canonical JSON', () => {
  it('carries every JSON value there and back', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 500 },
    );
  });

  it('does not depend on the order of keys, at any depth', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalJson(shuffled(value))).toBe(canonicalJson(value));
      }),
    );
    expect(canonicalJson({ b: { d: 1, c: [{ z: 1, a: 2 }] }, 10: 0, 9: 0 })).toBe(
      '{"10":0,"9":0,"b":{"c":[{"a":2,"z":1}],"d":1}}',
    );
  });

  it('is one text for one value: different values differ', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        const equal = JSON.stringify(shuffledSort(a)) === JSON.stringify(shuffledSort(b));
        expect(canonicalJson(a) === canonicalJson(b)).toBe(equal);
      }),
    );
  });

  it('is a fixed point: canonical text parsed and written again is the same text', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalJson(JSON.parse(canonicalJson(value)))).toBe(canonicalJson(value));
      }),
    );
  });

  it('leaves out undefined members and writes -0 as 0, as what is read back', () => {
    expect(canonicalJson({ a: undefined, b: -0 })).toBe('{"b":0}');
    expect(canonicalJson('\ud800')).toBe('"\\ud800"');
  });

  it.each([
    ['NaN', { a: [NaN] }, '$.a[0]: NaN'],
    ['Infinity', Infinity, '$: Infinity'],
    ['a hole', { a: [undefined] }, '$.a[0]: a undefined'],
    ['a bigint', { a: 1n }, '$.a: a bigint'],
    ['a function', { a: () => 1 }, '$.a: a function'],
    ['a Map', { a: new Map() }, '$.a: a Map'],
    ['a Date', new Date(0), '$: a Date'],
    ['bytes', { b: new Uint8Array(1) }, '$.b: a Uint8Array'],
  ])('refuses %s and names the place', (_, value, message) => {
    expect(() => canonicalJson(value)).toThrow(message);
  });
});

/** An independent way to sort, to compare with. */
function shuffledSort(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffledSort);
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value;
  return [
    'object',
    Object.entries(value)
      .map(([k, v]) => [k, shuffledSort(v)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  ];
}

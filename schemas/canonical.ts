/**
 * Canonical JSON: one value, one text. Keys are sorted at all depths (by UTF-16 code units, as RFC 8785), nothing is
 * indented, properties that are `undefined` are left out.
 *
 *   canonicalJson({ b: [1, -0], a: undefined }) === '{"b":[1,0]}'
 *
 * Digests, memo keys and JSONL lines are made of this text, so whatever JSON.stringify would silently bend (NaN to null, a
 * Map to {}, a Date to a string) is refused instead. Pure: runs inside workflows too.
 */

/** Throws TypeError naming the place (`$.inputs[2].x`) for what JSON cannot carry. Deterministic. */
export function canonicalJson(value: unknown): string {
  return text(value, []);
}

/** @param at the steps to `value`, changed in place: a text for each of a row's hundred tokens would cost more than the row. */
function text(value: unknown, at: (string | number)[]): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'number':
      if (!Number.isFinite(value)) throw refused(at, String(value));
      return String(value);
    case 'object': {
      if (value === null) return 'null';
      const members: string[] = [];
      if (Array.isArray(value)) {
        for (let i = 0; i < value.length; i++) {
          at.push(i);
          members.push(text(value[i], at));
          at.pop();
        }
        return `[${members.join(',')}]`;
      }
      // By shape, not by identity: a workflow's sandbox has an Object of its own.
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
        throw refused(at, `a ${value.constructor?.name ?? 'class instance'}`);
      for (const key of Object.keys(value).sort()) {
        const member = (value as Record<string, unknown>)[key];
        if (member === undefined) continue;
        at.push(key);
        members.push(`${JSON.stringify(key)}:${text(member, at)}`);
        at.pop();
      }
      return `{${members.join(',')}}`;
    }
    default:
      throw refused(at, `a ${typeof value}`);
  }
}

const refused = (at: (string | number)[], what: string): TypeError =>
  new TypeError(
    `$${at.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('')}: ${what} cannot stand in JSON`,
  );

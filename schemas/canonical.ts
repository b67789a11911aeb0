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
  return text(value, '$');
}

function text(value: unknown, at: string): string {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${at}: ${value} cannot stand in JSON`);
      return JSON.stringify(value);
    case 'object': {
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${Array.from(value, (item, i) => text(item, `${at}[${i}]`)).join(',')}]`;
      // By shape, not by identity: a workflow's sandbox has an Object of its own.
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
        throw new TypeError(`${at}: a ${value.constructor?.name ?? 'class instance'} cannot stand in JSON`);
      }
      const members: string[] = [];
      for (const key of Object.keys(value).sort()) {
        const member = (value as Record<string, unknown>)[key];
        if (member !== undefined) members.push(`${JSON.stringify(key)}:${text(member, `${at}.${key}`)}`);
      }
      return `{${members.join(',')}}`;
    }
    default:
      throw new TypeError(`${at}: a ${typeof value} cannot stand in JSON`);
  }
}

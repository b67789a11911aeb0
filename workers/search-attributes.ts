/**
 * Are the search attributes there? Asked when a worker starts, because a run that writes one the namespace does not know
 * fails its workflow task without end and looks alive meanwhile.
 *
 * A server of the home's own learns them here. One that is somebody else's is refused with the command that cures it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NativeConnection } from '@temporalio/worker';
import { INDEXED_VALUE_TYPES, SEARCH_ATTRIBUTES } from '../schemas/search-attributes.ts';

type Attributes = Record<string, keyof typeof INDEXED_VALUE_TYPES>;
type Operator = Pick<NativeConnection['operatorService'], 'listSearchAttributes' | 'addSearchAttributes'>;

const KNOWN_WITHIN_MS = 10_000;
const missing = (message: string) => Object.assign(new Error(message), { code: 'SearchAttributesMissing' });

/** Throws SearchAttributesMissing. `own`: the server is this home's, so that what is absent is made. */
export async function needSearchAttributes(operator: Operator, namespace: string, own: boolean): Promise<void> {
  const wanted: Attributes = SEARCH_ATTRIBUTES;
  const typeOf = (name: string) => INDEXED_VALUE_TYPES[wanted[name] as keyof typeof INDEXED_VALUE_TYPES];
  const look = async () => {
    const { customAttributes } = await operator.listSearchAttributes({ namespace });
    const found = customAttributes ?? {};
    const wrong = Object.keys(found).filter((name) => name in wanted && Number(found[name]) !== typeOf(name));
    return { wrong, absent: Object.keys(wanted).filter((name) => !(name in found)) };
  };
  let seen = await look();
  if (own && seen.absent.length > 0) {
    const searchAttributes = Object.fromEntries(seen.absent.map((name) => [name, typeOf(name)]));
    await operator.addSearchAttributes({ namespace, searchAttributes });
    for (
      const until = performance.now() + KNOWN_WITHIN_MS;
      seen.absent.length > 0 && performance.now() < until;
      await sleep(200)
    )
      seen = await look();
  }
  const { wrong, absent } = seen;
  if (wrong.length > 0)
    throw missing(
      `namespace ${namespace} has ${wrong.map((name) => `${name} as something else than ${wanted[name]}`).join(' and ')}: ` +
        'remove it there (`temporal operator search-attribute remove`), or start without STARTRAIL_SEARCH_ATTRIBUTES',
    );
  if (absent.length > 0)
    throw missing(
      `namespace ${namespace} has no search attribute ${absent.join(', ')}: ` +
        `\`temporal operator search-attribute create --namespace ${namespace} ` +
        `${absent.map((name) => `--name ${name} --type ${wanted[name]}`).join(' ')}\`, ` +
        'or start without STARTRAIL_SEARCH_ATTRIBUTES',
    );
}

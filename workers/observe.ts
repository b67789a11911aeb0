/** What of a worker may be watched from outside, as its settings ask for it. What is off is not loaded. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Tracing } from './tracing.ts';

const invalid = (message: string) => Object.assign(new Error(message), { code: 'InvalidInput' });

/** Address of the Prometheus endpoint; a bare port is on the loopback address. Throws InvalidInput, MetricsPortInUse. */
export async function metricsAddress(asked: string | undefined): Promise<string | undefined> {
  if (asked === undefined) return undefined;
  const [, host = '127.0.0.1', port = ''] = /^(?:(.+):)?(\d+)$/.exec(asked) ?? [];
  if (Number(port) < 1 || Number(port) > 65_535)
    throw invalid(`STARTRAIL_METRICS is "${asked}"; expected a port or address:port, e.g. 9464`);
  const at = host === 'localhost' ? '127.0.0.1' : host;
  // The SDK would say so in words of its own, and not before a connection.
  const probe = createServer();
  try {
    probe.listen(Number(port), at);
    await once(probe, 'listening');
  } catch (error) {
    throw Object.assign(
      new Error(
        `metrics cannot be served at ${at}:${port} (${(error as { code?: string }).code ?? 'unknown'}): ` +
          'each worker of a machine needs a port of its own in STARTRAIL_METRICS',
      ),
      { code: 'MetricsPortInUse' },
    );
  } finally {
    probe.close();
  }
  return `${at}:${port}`;
}

/** Throws InvalidInput for a collector that is no http URL. */
export async function startTraces(
  collector: string | undefined,
): Promise<(Tracing & { modules: string[] }) | undefined> {
  if (collector === undefined) return undefined;
  if (!URL.canParse(collector) || !new URL(collector).protocol.startsWith('http'))
    throw invalid('STARTRAIL_TRACES is no URL of a collector; expected e.g. http://127.0.0.1:4318');
  const { startTracing, tracedModules } = await import('./tracing.ts');
  return { ...startTracing(collector), modules: tracedModules() };
}

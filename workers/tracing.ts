/**
 * OpenTelemetry traces of runs: run → iteration → activity → engine, sent to a collector by OTLP over HTTP. Loaded only where
 * STARTRAIL_TRACES names one (workers/observe.ts imports this file when it must), for it costs a start some tenths of a second.
 *
 * Spans of workflows come from the SDK's interceptors, which stand in the workflow bundle: traced workers have one of their own.
 * Headers for the collector are what OpenTelemetry itself reads, OTEL_EXPORTER_OTLP_HEADERS.
 */
import { createRequire } from 'node:module';
import { context, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { Resource } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { OpenTelemetryPlugin } from '@temporalio/interceptors-opentelemetry';
import type { WorkerPlugin } from '@temporalio/worker';
import type { Dependencies } from '../activities/dependencies.ts';

export interface Tracing {
  plugin: WorkerPlugin;
  trace: NonNullable<Dependencies['trace']>;
  /** Sends what is left. A collector that does not answer is not waited for long. */
  close(): Promise<void>;
}

const SEND_WITHIN_MS = 3_000;
/** Attributes of OpenTelemetry's event `exception` that hold text; its type stays. */
const SPOKEN = ['exception.message', 'exception.stacktrace'];

/** Modules that a traced bundle holds besides the workflows. */
export const tracedModules = (): string[] => [
  createRequire(import.meta.url).resolve('@temporalio/interceptors-opentelemetry/lib/workflow-interceptors'),
];

/**
 * What a span tells of a failure: that it was one, and its class. The SDK's interceptors put message and stack trace into spans,
 * which may quote a prompt, an answer or an input.
 */
function withoutWords(span: ReadableSpan): ReadableSpan {
  const events = span.events.map((event) => {
    const kept = Object.entries(event.attributes ?? {}).filter(([name]) => !SPOKEN.includes(name));
    return { ...event, attributes: Object.fromEntries(kept) };
  });
  const status = { value: { code: span.status.code } };
  return Object.create(span, { status, events: { value: events } }) as ReadableSpan;
}

class WordlessExporter extends OTLPTraceExporter {
  override export(spans: ReadableSpan[], done: Parameters<OTLPTraceExporter['export']>[1]): void {
    super.export(spans.map(withoutWords), done);
  }
}

/** @param collector e.g. http://127.0.0.1:4318; spans go to its /v1/traces */
export function startTracing(collector: string): Tracing {
  const resource = new Resource({ 'service.name': 'startrail' });
  const url = new URL('v1/traces', collector.endsWith('/') ? collector : `${collector}/`).href;
  const processor = new BatchSpanProcessor(new WordlessExporter({ url, timeoutMillis: SEND_WITHIN_MS }), {
    scheduledDelayMillis: 1_000,
    exportTimeoutMillis: SEND_WITHIN_MS,
  });
  const provider = new BasicTracerProvider({ resource, spanProcessors: [processor] });
  // Activities run side by side in one process: which span is under way is a matter of the asynchronous call.
  provider.register({ contextManager: new AsyncLocalStorageContextManager().enable() });
  const tracer = trace.getTracer('startrail');
  return {
    plugin: new OpenTelemetryPlugin({ resource, spanProcessor: processor }),
    trace: (name, attributes, work) => {
      const span = tracer.startSpan(name, { attributes });
      return context.with(trace.setSpan(context.active(), span), async () => {
        try {
          return await work();
        } catch (error) {
          span.setStatus({ code: SpanStatusCode.ERROR });
          span.recordException({ name: error instanceof Error ? error.name : 'error' });
          throw error;
        } finally {
          span.end();
        }
      });
    },
    close: () => provider.shutdown().catch(() => undefined),
  };
}

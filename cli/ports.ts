/** Ports of a home: free ones, chosen once and kept in `ports.json`; another is taken only if somebody else sits on one. */
import net from 'node:net';
import { z } from 'zod';
import { readJson, writeJson } from './home.ts';
import type { HomePaths } from './home.ts';

const Port = z.int().min(1).max(65_535);
export const Ports = z.object({
  server: Port,
  ui: Port,
  /** Of the live page; absent until there was one. */
  page: Port.optional(),
});
export type Ports = z.infer<typeof Ports>;

/** Listens for a moment; 0 means any. Resolves with the port, or undefined if it is taken. */
export const tryPort = (port: number): Promise<number | undefined> =>
  new Promise((done) => {
    const server = net.createServer();
    server.once('error', () => {
      done(undefined);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => {
        done(typeof address === 'object' && address !== null ? address.port : undefined);
      });
    });
  });

async function freePort(kept: number | undefined, other: number | undefined): Promise<number> {
  if (kept !== undefined && (await tryPort(kept)) !== undefined) return kept;
  for (let tries = 0; tries < 50; tries++) {
    const port = await tryPort(0);
    if (port !== undefined && port !== other) return port;
  }
  throw new Error('no free port on 127.0.0.1');
}

/** Only the owner calls this, when no server of this home runs. */
export async function choosePorts(paths: HomePaths): Promise<{ ports: Ports; moved: boolean }> {
  const parsed = Ports.safeParse(readJson(paths.ports));
  const kept = parsed.success ? parsed.data : undefined;
  const server = await freePort(kept?.server, kept?.ui);
  const ui = await freePort(kept?.ui, server);
  const ports = { ...kept, server, ui };
  const moved = kept !== undefined && (kept.server !== server || kept.ui !== ui);
  if (!kept || moved) writeJson(paths.ports, ports);
  return { ports, moved };
}

/** The one that the live page had last; undefined = none yet. */
export function pagePort(paths: HomePaths): number | undefined {
  const parsed = Ports.safeParse(readJson(paths.ports));
  return parsed.success ? parsed.data.page : undefined;
}

/** Only the owner calls this, once its server runs. */
export function keepPagePort(paths: HomePaths, page: number): void {
  const parsed = Ports.safeParse(readJson(paths.ports));
  if (parsed.success && parsed.data.page !== page) writeJson(paths.ports, { ...parsed.data, page });
}

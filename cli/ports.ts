/** Ports of a home: free ones, chosen once and kept in `ports.json`; another is taken only if somebody else sits on one. */
import net from 'node:net';
import { z } from 'zod';
import { readJson, writeJson } from './home.ts';
import type { HomePaths } from './home.ts';

export const Ports = z.object({ server: z.int().min(1).max(65_535), ui: z.int().min(1).max(65_535) });
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
  const ports = { server, ui };
  const moved = kept !== undefined && (kept.server !== server || kept.ui !== ui);
  if (!kept || moved) writeJson(paths.ports, ports);
  return { ports, moved };
}

// The port on which a running `watch` answers: for health checks, Prometheus, and whoever wants to be sure.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { PagemarkError } from "../errors/index.ts";
import type { Watcher, WatchStatus } from "../vault/watch.ts";

export interface Address {
  host: string;
  port: number;
}

const LOOPBACK = new Set(["127.0.0.1", "localhost", "::1", "[::1]"]);

/** Reads `9090` or `127.0.0.1:9090`; `undefined` for what is neither, or not on loopback. */
export function addressOf(text: string): Address | undefined {
  const [, host = "127.0.0.1", digits] = /^(?:(.+):)?(\d{1,5})$/.exec(text.trim()) ?? [];
  const port = Number(digits ?? Number.NaN);
  if (!LOOPBACK.has(host) || !(port <= 65535)) return undefined;
  return { host: host.replace(/[[\]]/g, ""), port };
}

/** Answers until the function that it gives is called. */
export async function listen({ host, port }: Address, watcher: Watcher): Promise<() => void> {
  const server = createServer((request, response) => {
    void answer(request, response, watcher).catch((error) => reply(response, 500, errorOf(error)));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const message = `cannot listen on ${host}:${port}: ${error.code ?? error.message}; give --listen another port`;
      reject(new PagemarkError("USAGE", message));
    });
    server.listen(port, host, resolve);
  });
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, watcher: Watcher): Promise<void> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const name = url.searchParams.get("name") ?? undefined;
  // A page in somebody's browser must not reach what only this machine should, by another name of it.
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  if (!LOOPBACK.has(host) || request.headers.origin !== undefined) {
    return reply(response, 403, {
      error: { code: "FORBIDDEN", message: "only for programs on this machine" },
    });
  }
  switch (`${request.method} ${url.pathname}`) {
    case "GET /healthz": {
      const failing = watcher.status().filter(({ state }) => state === "failing" || state === "missing");
      return reply(response, failing.length > 0 ? 503 : 200, {
        ok: failing.length === 0,
        failing: failing.map(statusJson),
      });
    }
    case "GET /status":
      return reply(response, 200, { databases: watcher.status().map(statusJson) });
    case "GET /metrics": {
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
      return void response.end(metrics(watcher.status()));
    }
    case "POST /sync":
      try {
        const states = await watcher.sync(name);
        const stored = Object.entries(states).map(([name, state]) => ({
          name,
          txid: state?.txid,
          bookmark: state?.bookmark,
        }));
        return reply(response, 200, { stored });
      } catch (error) {
        return reply(response, 503, errorOf(error));
      }
    default:
      return reply(response, 404, {
        error: {
          code: "USAGE",
          message: "there are GET /healthz, GET /status, GET /metrics and POST /sync[?name=…]",
        },
      });
  }
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify(value)}\n`);
}

function errorOf(error: unknown) {
  const { code = "INTERNAL", message = String(error) } = (error ?? {}) as { code?: string; message?: string };
  return { error: { code, message } };
}

/** A database's status as JSON: times in RFC 3339. */
export function statusJson({ stored, checkedAtMs, ...rest }: WatchStatus) {
  const time = (ms: number) => new Date(ms).toISOString();
  return {
    ...rest,
    ...(stored && { stored: { txid: stored.txid, bookmark: stored.bookmark, at: time(stored.atMs) } }),
    ...(checkedAtMs !== undefined && { checked_at: time(checkedAtMs) }),
  };
}

/** Name, kind, meaning, and the number for a database; nothing where it is not known yet. */
const METRICS: readonly [string, "counter" | "gauge", string, (status: WatchStatus) => number | undefined][] =
  [
    ["states_total", "counter", "States stored between backups.", ({ states }) => states],
    ["backups_total", "counter", "Backups made.", ({ backups }) => backups],
    ["full_backups_total", "counter", "Full backups made.", ({ fulls }) => fulls],
    ["stored_bytes_total", "counter", "Bytes sent to the store.", ({ bytes }) => bytes],
    ["store_requests_total", "counter", "Requests to the store.", ({ requests }) => requests],
    ["errors_total", "counter", "Attempts that failed.", ({ errors }) => errors],
    ["up", "gauge", "1 while the database is there and its last look did not fail.", isUp],
    [
      "last_check_timestamp_seconds",
      "gauge",
      "When all that was committed was stored last.",
      ({ checkedAtMs }) => seconds(checkedAtMs),
    ],
    [
      "last_stored_timestamp_seconds",
      "gauge",
      "When the newest state was stored.",
      ({ stored }) => seconds(stored?.atMs),
    ],
  ];

function metrics(all: WatchStatus[]): string {
  const lines = METRICS.flatMap(([name, kind, meaning, of]) => [
    `# HELP pagemark_${name} ${meaning}`,
    `# TYPE pagemark_${name} ${kind}`,
    ...all.flatMap((status) => {
      const value = of(status);
      return value === undefined
        ? []
        : [`pagemark_${name}{database=${JSON.stringify(status.name)}} ${value}`];
    }),
  ]);
  return `${lines.join("\n")}\n`;
}

function isUp({ state }: WatchStatus): number {
  return Number(state === "following" || state === "comparing");
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

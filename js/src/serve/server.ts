// The HTTP server of `pagemark serve`.
import { createServer, type Server } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { app } from "../api/app.ts";
import { usePlatform, useStatements } from "../core/index.ts";
import { compiled, nodePlatform } from "../core/platform.node.ts";
import { PagemarkError } from "../errors/index.ts";
import { systemCode } from "../node/errno.ts";
import { openStore } from "../places/open-store.node.ts";
import type { Service } from "../service/service.ts";
import { databaseClass } from "./connection.ts";
import { FileDatabases } from "./files.ts";
import { FolderFiles } from "./job-files.ts";
import { metrics, Requests } from "./metrics.ts";
import { ScheduledBackups } from "./scheduled.ts";
import { fileSchedules } from "./schedules.ts";
import { openSecrets, STATE } from "./secrets.ts";
import { statementsOn } from "./statements.ts";

export interface ServeOptions {
  /** The folder with the databases. */
  folder: string;
  /** Where backups go: a folder or a URL. */
  to: string;
  /** Where it runs, when backups go to stores with localities. */
  locality?: string | undefined;
  host: string;
  port: number;
  /** Names by which the server may be called, beside its addresses. */
  allowHosts: string[];
  /** What stores that statements name must begin with: folders, or URLs. */
  allowStores: string[];
  /** So long a request's SQL may take, in milliseconds. */
  timeoutMs: number;
  token?: string | undefined;
  readToken?: string | undefined;
  /** Hears what a log should have, a line each. */
  log(line: string): void;
}

/** A server that is up. */
export interface Serving {
  url: string;
  token: string;
  /** Where the token is kept; missing when it was given. */
  tokenFile?: string;
  /** Whether it was made just now. */
  isNewToken: boolean;
  /** Lets what is being answered come to its end, for a while, and ends everything else. */
  close(): Promise<void>;
}

/** What is being answered when the server is closed has so long, in milliseconds. */
const GOODBYE_MS = 5000;
/** Whoever sends a request slower than this is cut off, in milliseconds; uploads may take an hour. */
const HEADERS_MS = 20_000;
const REQUEST_MS = 3_600_000;

/** @throws PagemarkError `USAGE` where it cannot listen; `RUNTIME_OLD` */
export async function serve(options: ServeOptions): Promise<Serving> {
  databaseClass();
  usePlatform(nodePlatform);
  useStatements(async () => compiled("statement"));
  const { folder, token, readToken, timeoutMs, log } = options;
  const store = openStore(options.to, { locality: options.locality, onNote: log });
  const state = join(folder, STATE);
  const secrets = openSecrets(state, token);
  const files = new FolderFiles(join(state, "files"));
  await files.open();
  const databases = new FileDatabases({ folder, store, files, secret: secrets.url, timeoutMs, log });
  const requests = new Requests();
  const schedules = fileSchedules(folder);
  const allowed = { stores: options.allowStores, locality: options.locality };
  const statements = statementsOn({ databases }, databases, store, allowed, {
    ...schedules,
    async save(all, before) {
      const added = all.filter((each) => !before.includes(each));
      if (added.some(({ revisionHistory, isPaused }) => revisionHistory && !isPaused)) throw watchesNothing();
      const isSaved = await schedules.save(all, before);
      if (isSaved) scheduled.wake();
      return isSaved;
    },
  });
  const scheduled = new ScheduledBackups(statements, schedules, log);
  const service: Service = {
    access: { token: secrets.token, readToken },
    databases,
    files,
    statements,
    metrics: () => metrics(databases, requests),
  };
  const server = createServer(
    { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS },
    listener(service, requests, options),
  );
  const url = await listen(server, options);
  scheduled.wake();
  return {
    url,
    token: secrets.token,
    ...(secrets.file !== undefined && { tokenFile: secrets.file }),
    isNewToken: secrets.isNew,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const databasesClosed = Promise.all([scheduled.close(), databases.close()]);
      const timer = setTimeout(() => server.closeAllConnections(), GOODBYE_MS);
      await Promise.all([closed, databasesClosed]);
      clearTimeout(timer);
      await files.close();
    },
  };
}

function watchesNothing(): PagemarkError {
  const message =
    "the server watches nothing between backups: leave revision_history out, and run `pagemark watch` beside it for every state";
  return new PagemarkError("STATEMENT_UNSUPPORTED", message);
}

function listener(service: Service, requests: Requests, { host, allowHosts, log }: ServeOptions) {
  const names = new Set(["localhost", host, hostname(), ...allowHosts].map((name) => name.toLowerCase()));
  const answer = async (request: Request): Promise<Response> => {
    // A page in somebody's browser may have a name of its own for this machine (DNS rebinding); it has none of ours.
    const asked = hostIn(request.headers.get("host") ?? "");
    return names.has(asked) || isIP(asked) !== 0 ? app.fetch(request, service) : misdirected(asked);
  };
  const counted = async (request: Request) => {
    const response = await answer(request);
    requests.count(response.status);
    return response;
  };
  return getRequestListener(counted, {
    errorHandler(error) {
      log(`a request failed: ${String(error)}`);
      return new Response("internal error\n", { status: 500 });
    },
  });
}

function misdirected(asked: string): Response {
  const message = `this server is not called ${JSON.stringify(asked.slice(0, 100))}; start it with --allow-host for that name`;
  const body = { result: null, success: false, errors: [{ code: 7003, message }], messages: [] };
  return Response.json(body, { status: 421 });
}

/** The name in a Host header, without its port. */
function hostIn(header: string): string {
  const [, bracketed, name] = /^(?:\[([0-9a-f:.]+)\]|([^:]+))(?::\d+)?$/i.exec(header) ?? [];
  return (bracketed ?? name ?? "").toLowerCase();
}

async function listen(server: Server, { host, port }: ServeOptions): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      const why = systemCode(error) ?? error.message;
      const message = `cannot listen on ${host}:${port}: ${why}; give --port another one, or --host an address of this machine`;
      reject(new PagemarkError("USAGE", message));
    });
    server.listen(port, host, resolve);
  });
  const { address, port: given } = server.address() as AddressInfo;
  return `http://${address.includes(":") ? `[${address}]` : address}:${given}`;
}

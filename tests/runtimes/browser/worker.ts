// The Worker on loopback, for pages that are opened in a browser.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startWorkers } from "../../../scripts/lib/workers.mjs";

export const TOKEN = "all";
export const READ_TOKEN = "look";

export interface LocalWorker extends AsyncDisposable {
  /** Without a `/` at the end. */
  url: string;
  /** Calls the D1 API below the list of databases. */
  // biome-ignore lint/suspicious/noExplicitAny: what the API answers is what is tested
  call(method: string, path: string, body?: object): Promise<any>;
}

/** Starts it, empty and without a schedule. */
export async function startWorker(): Promise<LocalWorker> {
  const state = mkdtempSync(join(tmpdir(), "pagemark-worker-"));
  const { url, stop } = await startWorkers({
    state,
    bindings: { PAGEMARK_TOKEN: TOKEN, PAGEMARK_READ_TOKEN: READ_TOKEN, PAGEMARK_SCHEDULE: "off" },
  });
  return {
    url,
    async call(method, path, body) {
      const answer = await fetch(`${url}/client/v4/accounts/pagemark/d1/database${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, ...(body && { "content-type": "application/json" }) },
        ...(body && { body: JSON.stringify(body) }),
      });
      const { success, result, errors } = (await answer.json()) as Record<string, unknown>;
      if (!success) throw new Error(`${method} ${path}: ${JSON.stringify(errors)}`);
      return result;
    },
    async [Symbol.asyncDispose]() {
      await stop();
      rmSync(state, { recursive: true, force: true });
    },
  };
}

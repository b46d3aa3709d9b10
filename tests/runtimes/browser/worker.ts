// The Worker, or `pagemark serve`, on loopback, for pages that are opened in a browser.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
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
  return local(url, state, stop);
}

const PROGRAM = join(import.meta.dirname, "../../../js/dist/bin/pagemark.js");

/** Starts `pagemark serve` over an empty folder. */
export async function startServe(): Promise<LocalWorker> {
  const state = mkdtempSync(join(tmpdir(), "pagemark-serve-"));
  const data = join(state, "data");
  mkdirSync(data);
  const args = [PROGRAM, "serve", data, "--to", join(state, "store"), "--port", "0", "--json"];
  const env = { ...process.env, PAGEMARK_TOKEN: TOKEN, PAGEMARK_READ_TOKEN: READ_TOKEN };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  for await (const line of createInterface(child.stdout)) {
    const { url } = JSON.parse(line) as { url: string };
    return local(url, state, async () => {
      child.kill();
      await ended;
    });
  }
  throw new Error("pagemark serve has ended");
}

function local(url: string, state: string, stop: () => Promise<unknown>): LocalWorker {
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

// The built Worker on loopback: what wrangler would deploy, run by the miniflare that wrangler brings.
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "../../..");
const require = createRequire(import.meta.url);
const wrangler = dirname(require.resolve("wrangler/package.json"));

export const TOKEN = "all";
export const READ_TOKEN = "look";

export interface LocalWorker extends AsyncDisposable {
  /** Without a `/` at the end. */
  url: string;
  /** Calls the D1 API below the list of databases. */
  // biome-ignore lint/suspicious/noExplicitAny: what the API answers is what is tested
  call(method: string, path: string, body?: object): Promise<any>;
}

/** Starts it, empty, without a schedule, and without a look at any network. */
export async function startWorker(): Promise<LocalWorker> {
  const folder = mkdtempSync(join(tmpdir(), "pagemark-worker-"));
  const out = join(folder, "bundle");
  await promisify(execFile)(
    process.execPath,
    [join(wrangler, "bin/wrangler.js"), "deploy", "--dry-run", "--outdir", out],
    {
      cwd: root,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: join(folder, "logs") },
    },
  );
  const { unstable_getMiniflareWorkerOptions: optionsOf } = require("wrangler");
  const { convertV4MiniflareOptions, Log, LogLevel, Miniflare } = createRequire(
    join(wrangler, "package.json"),
  )("miniflare");
  const modules = readdirSync(out)
    .filter((name) => /\.(js|wasm)$/.test(name))
    .map((name) => ({ type: name.endsWith(".js") ? "ESModule" : "CompiledWasm", path: join(out, name) }))
    // The first one is the Worker itself.
    .sort((a, b) => Number(b.type === "ESModule") - Number(a.type === "ESModule"));
  const bindings = { PAGEMARK_TOKEN: TOKEN, PAGEMARK_READ_TOKEN: READ_TOKEN, PAGEMARK_SCHEDULE: "off" };
  const { workerOptions } = optionsOf(join(root, "wrangler.toml"));
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      telemetry: { enabled: false },
      log: new Log(LogLevel.NONE),
      workers: [{ ...workerOptions, name: "pagemark", modules, modulesRoot: out, bindings }],
    }),
  );
  const url = new URL(await miniflare.ready).origin;
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
      await miniflare.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

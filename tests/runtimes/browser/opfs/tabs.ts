// A real Chromium with a profile of its own, whose tabs share OPFS, and the libraries that keep SQLite there.
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { build } from "esbuild";
import { chromium, type Page } from "playwright-core";

const root = join(import.meta.dirname, "../../../..");
/** Where the pages' addresses lead: the built package, the libraries, and what runs in the pages for these tests. */
const PLACES: readonly (readonly [string, string])[] = [
  ["/npm/", join(root, "node_modules")],
  ["/tests/", join(root, "tests")],
  ["/", join(root, "js/dist")],
];
const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".ts": "text/javascript",
  ".wasm": "application/wasm",
};
const HTML = `<!doctype html><title>tab</title><link rel="icon" href="data:,"><script type="module" src="/tests/runtimes/browser/opfs/page.js"></script>`;
/** With these headers a page has SharedArrayBuffer, which the VFS `opfs` needs; pages without them work, too. */
const ISOLATED = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/** A tab, or a dedicated worker of one. */
export interface Place {
  /** Calls a function of `page-*.js` by its module's and its own name. */
  call<T>(name: `${string}.${string}`, ...args: unknown[]): Promise<T>;
}

export interface Tab extends Place {
  readonly page: Page;
  /** Starts a worker, which ends with the tab. */
  worker(): Promise<Place & { terminate(): Promise<void> }>;
  close(): Promise<void>;
}

export interface Tabs extends AsyncDisposable {
  open(options?: { isolated?: boolean }): Promise<Tab>;
}

/** Starts a browser with an empty profile; all its tabs are of one origin. */
export async function startTabs(): Promise<Tabs> {
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    // Scripts of workers need them in isolated pages, and do no harm in others.
    const isIsolated = pathname !== "/" || searchParams.has("isolated");
    const headers = { "cache-control": "max-age=600", ...(isIsolated && ISOLATED) };
    try {
      const body = pathname === "/" ? HTML : await fileOf(normalize(pathname));
      const type = pathname === "/" ? "text/html" : (TYPES[extname(pathname)] ?? "text/javascript");
      response.writeHead(200, { ...headers, "content-type": type }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const profile = mkdtempSync(join(tmpdir(), "pagemark-profile-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
  return {
    async open({ isolated = false } = {}) {
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${port}/${isolated ? "?isolated" : ""}`);
      await page.evaluate("ready");
      const call = (worker: number | undefined, name: string, args: unknown[]) =>
        page.evaluate(`globalThis.call(${JSON.stringify([worker ?? null, name, args])})`);
      return {
        page,
        call: <T>(name: string, ...args: unknown[]) => call(undefined, name, args) as Promise<T>,
        async worker() {
          const id = (await page.evaluate("globalThis.startWorker()")) as number;
          return {
            call: <T>(name: string, ...args: unknown[]) => call(id, name, args) as Promise<T>,
            async terminate() {
              await page.evaluate(`globalThis.endWorker(${id})`);
            },
          };
        },
        close: () => page.close(),
      };
    },
    async [Symbol.asyncDispose]() {
      await context.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** What esbuild made, by its path: the same for all tabs. */
const made = new Map<string, Promise<string>>();

async function fileOf(path: string): Promise<Uint8Array | string> {
  const isMade = path.startsWith("/sqlocal/") || path.endsWith(".ts") || /^\/entry\/[^/]*\.js$/.test(path);
  if (isMade && !made.has(path)) made.set(path, bundled(path));
  return made.get(path) ?? readFile(placeOf(path));
}

function placeOf(path: string): string {
  const [prefix = "", folder = ""] = PLACES.find(([prefix]) => path.startsWith(prefix)) ?? [];
  return join(folder, path.slice(prefix.length));
}

/** One file instead of some hundred, which each tab and each worker would load. */
async function bundled(path: string): Promise<string> {
  // Its modules import others by bare names, which workers cannot resolve.
  const sqlocal = path === "/sqlocal/worker" ? "worker.js" : "index.js";
  const file = path.startsWith("/sqlocal/")
    ? join(root, "node_modules/sqlocal/dist", sqlocal)
    : placeOf(path);
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    format: "esm",
    write: false,
    plugins: [
      {
        name: "sqlite-wasm",
        setup({ onResolve }) {
          onResolve({ filter: /^@sqlite\.org\/sqlite-wasm$/ }, () => ({
            path: "/npm/sqlocal/node_modules/@sqlite.org/sqlite-wasm/dist/index.mjs",
            external: true,
          }));
        },
      },
    ],
  });
  return outputFiles[0]?.text ?? "";
}

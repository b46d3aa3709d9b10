// A real Chromium with the built package in a page: what the browser tests share.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";

const dist = join(import.meta.dirname, "../../../js/dist");

const TYPES: Readonly<Record<string, string>> = { ".js": "text/javascript", ".wasm": "application/wasm" };

// What the page sees: the built files as they are, without a bundler. `ready` tells a failed load from a slow one.
const HTML = `<!doctype html><title>pagemark</title><script type="module">
  globalThis.ready = import("/entry/browser.js").then((module) => { globalThis.pagemark = module; });
</script>`;

export interface Chromium extends AsyncDisposable {
  /** A new page, with the package's exports as `globalThis.pagemark`. Closed with the browser. */
  open(): Promise<Page>;
}

/** Starts a browser, and a server for its pages. */
export async function startChromium(): Promise<Chromium> {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
    try {
      const body = path === "/" ? HTML : await readFile(join(dist, path));
      response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/html" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const browser = await launch();
  return {
    async open() {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.evaluate("ready");
      return page;
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Starts Debian's Chromium, or the one that the environment's CHROMIUM names. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // The sandbox does not work as root, which containers are; the rest keeps Chromium from calling home.
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

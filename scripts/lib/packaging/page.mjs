// Pages in a real Chromium, from a folder as a plain server sends it, or from a server of somebody else's.
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
};
let browser;

/** What the page at a URL says at last. */
export async function shownAt(url) {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
  const page = await browser.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  try {
    // A server that has just found out what it must bundle may load the page once more.
    await page.goto(url, { waitUntil: "load", timeout: 60_000 });
    await page.waitForFunction(
      () => !/^…?$/.test(document.querySelector("output")?.textContent ?? ""),
      undefined,
      {
        timeout: 45_000,
      },
    );
    return await page.textContent("output");
  } catch (error) {
    throw new Error(problems.length > 0 ? problems.join("\n") : error.message);
  } finally {
    await page.close();
  }
}

/** What a page shows that lies in `folder`, which a server knows nothing of: it has no type for wasm. */
export async function shownFrom(folder, path = "/") {
  const server = createServer((request, response) => {
    let file = join(folder, normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname)));
    if (existsSync(file) && statSync(file).isDirectory()) file = join(file, "index.html");
    if (!existsSync(file)) return response.writeHead(404).end("not found");
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
    response.end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await shownAt(`http://127.0.0.1:${server.address().port}${path}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

export async function closeBrowser() {
  await browser?.close();
}

// Bundles in a real page: of every format, without any configuration; and pages that forbid WebAssembly.
import { gzipSync } from "node:zlib";
import { build, type Format } from "esbuild";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch } from "./chromium.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

const PROGRAM = `
import { memoryStore, pagemark } from "pagemark";
import { Database } from "pagemark/engine";
async function run() {
  const db = await Database.open({ name: "app" });
  db.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
  const made = pagemark(db, { name: "app", store: memoryStore() });
  const { kind, tables } = await made.backup();
  const sql = await new Response(await made.dump()).text();
  return [kind, tables, sql.includes("(1,1)")];
}
globalThis.result = run().catch((error) => [error.name, error.code, error.message]);
`;

/** No bundler puts the workers' scripts beside this page. */
const IN_BACKGROUND = `
import { inBackground, sharedDatabase } from "pagemark/browser";
async function run() {
  const code = await inBackground("none.db").backup().catch((error) => error.code);
  const db = await sharedDatabase("app");
  await db.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
  return [code, await db.values("SELECT sum(a) FROM t")];
}
globalThis.result = run().catch((error) => [error.name, error.code, error.message]);
`;

async function bundled(format: Format, contents = PROGRAM): Promise<string> {
  const options = { bundle: true, format, platform: "browser", write: false, logLevel: "error" } as const;
  const stdin = { contents, resolveDir: import.meta.dirname };
  const { outputFiles } = await build({ ...options, stdin });
  const text = outputFiles[0]?.text ?? "";
  // What loads CommonJS puts a function around it.
  return format === "cjs" ? `((module, exports) => {${text}\n})({ exports: {} }, {});` : text;
}

async function resultOf(script: string, type: string, policy = ""): Promise<unknown> {
  const page = await browser.newPage();
  const head = policy && `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
  const html = `<!doctype html>${head}<script type="${type}">${script.replaceAll("</script", "<\\/script")}</script>`;
  await page.route("http://localhost/", (route) => route.fulfill({ contentType: "text/html", body: html }));
  await page.goto("http://localhost/");
  const result = await page.evaluate("result");
  await page.close();
  return result;
}

test.each([
  ["esm", "module"],
  ["iife", "text/javascript"],
  ["cjs", "text/javascript"],
] as const)(
  "a bundle of one file, as %s, backs up and dumps a database of the engine",
  async (format, type) => {
    expect(await resultOf(await bundled(format), type)).toEqual(["full", 1, true]);
  },
);

test.each([
  ["esm", "module"],
  ["iife", "text/javascript"],
] as const)(
  "workers of pagemark/browser start without their scripts, in a bundle as %s",
  async (format, type) => {
    expect(await resultOf(await bundled(format, IN_BACKGROUND), type)).toEqual(["SOURCE_MISSING", [[3]]]);
  },
);

test("a page whose policy forbids workers made of texts is told what to allow", async () => {
  const policy = "script-src 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'self'";
  const [, code, message] = (await resultOf(
    await bundled("iife", IN_BACKGROUND.replace("error.code", "{ throw error; }")),
    "text/javascript",
    policy,
  )) as string[];
  expect(code).toBe("WORKER_LOAD");
  expect(message).toContain("worker-src blob:");
});

test("a page whose policy forbids WebAssembly is told what to add to it", async () => {
  const script = await bundled("iife");
  const [name, code, message] = (await resultOf(
    script,
    "text/javascript",
    "script-src 'unsafe-inline'",
  )) as string[];
  expect([name, code]).toEqual(["PagemarkError", "WASM_BLOCKED"]);
  expect(message).toContain("'wasm-unsafe-eval'");
  const allowed = "script-src 'unsafe-inline' 'wasm-unsafe-eval'";
  expect(await resultOf(script, "text/javascript", allowed)).toEqual(["full", 1, true]);
});

test.each([
  ["backs up with backup()", "memory(bytes), { name: 'app', store: memoryStore() })", "backup(", 30_000],
  [
    "has all that pagemark() gives",
    "memory(bytes), { name: 'app', store: memoryStore() }).backup()",
    "pagemark(",
    49_000,
  ],
])("a bundle that %s has so much JavaScript, gzipped, beside the wasm", async (_, rest, call, most) => {
  const name = call.slice(0, -1);
  const contents = `import { memory, memoryStore, ${name} } from "pagemark/slim";
    globalThis.run = (bytes) => ${call}${rest};`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    ...{ bundle: true, minify: true, format: "esm", platform: "browser", write: false, logLevel: "error" },
  });
  const size = gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
  expect(size).toBeGreaterThan(10_000);
  expect(size).toBeLessThanOrEqual(most);
});

// The entry that is given its wasm, and what it says when that is not what it should be.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import * as slim from "pagemark/slim";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runSql, tempFolder } from "../support/temp.ts";

const dist = join(import.meta.dirname, "../../js/dist");
const wasm = (name: string) => readFileSync(join(dist, `${name}.wasm`));
const path = join(tempFolder(), "app.db");
runSql(path, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
const image = readFileSync(path);

const server = createServer((request, response) => {
  if (request.url === "/core.wasm")
    response.writeHead(200, { "content-type": "application/wasm" }).end(wasm("core"));
  else if (request.url === "/missing.wasm") response.writeHead(404).end();
  else if (request.url === "/refused.wasm") response.writeHead(503).end();
  else response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>App</title>");
});
let origin: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

const { memory, memoryStore, pagemark } = slim;
const backUp = () => pagemark(memory(image), { name: "app", store: memoryStore() }).backup();

// A module stays when it has started: what must fail comes first.
describe("the slim entry", () => {
  test("says that no wasm was given", async () => {
    await expect(backUp()).rejects.toMatchObject({ name: "PagemarkError", code: "WASM_MISSING" });
  });

  test.each([
    [
      "a page of the app",
      () => `${origin}/assets/core.wasm`,
      "WASM_MISSING",
      /is a web page, not core\.wasm/,
    ],
    ["404", () => new URL(`${origin}/missing.wasm`), "WASM_MISSING", /404/],
    ["503", () => fetch(`${origin}/refused.wasm`), "WASM_UNREACHABLE", /503/],
    ["no server", () => "http://127.0.0.1:1/core.wasm", "WASM_UNREACHABLE", /could not be fetched/],
    ["a file that is cut", () => wasm("core").subarray(0, 5000), "WASM_DAMAGED", /5000 bytes/],
    ["another module", () => wasm("dump"), "WASM_MISMATCH", /under its own name/],
    ["a compiled other module", () => new WebAssembly.Module(wasm("build")), "WASM_MISMATCH", /again/],
    ["what is no wasm", () => 5 as unknown as string, "WASM_MISSING", /give its URL/],
    ["nothing", () => undefined as unknown as string, "WASM_MISSING", /no core\.wasm was given/],
  ])("says what is wrong with %s, and what to do", async (_, core, code, message) => {
    slim.useWasm({ core });
    const failure = backUp();
    await expect(failure).rejects.toMatchObject({ name: "PagemarkError", code });
    await expect(failure).rejects.toThrow(message);
  });

  test("starts from a URL after all, and dumps from a promise of a module", async () => {
    slim.useWasm({
      core: `${origin}/core.wasm`,
      dump: Promise.resolve({ default: new Blob([wasm("dump")]) }),
    });
    expect((await backUp()).kind).toBe("full");
    const db = pagemark(memory(image), { name: "app", store: memoryStore() });
    expect(await new Response(await db.dump()).text()).toContain("CREATE TABLE t");
  });
});

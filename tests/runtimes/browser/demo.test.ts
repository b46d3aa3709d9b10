// The demo, as somebody uses it by keyboard: `npm run demo -- --build` makes what is served here.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { extname, join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch } from "./chromium.ts";

const root = join(import.meta.dirname, "../../..");
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
};
let browser: Browser;

beforeAll(async () => {
  execFileSync(process.execPath, [join(root, "scripts/demo.mjs"), "--build"]);
  browser = await launch();
});
afterAll(() => browser.close());

test("backs up a database that is written to, shows what was stored, and goes back", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", ({ message }) => problems.push(message));
  await context.route("https://demo.test/**", async (route) => {
    const path = new URL(route.request().url()).pathname.replace(/\/$/, "/index.html");
    const contentType = TYPES[extname(path)] ?? "application/octet-stream";
    await route.fulfill({ contentType, body: readFileSync(join(root, "target/demo", path)) });
  });
  await page.goto("https://demo.test/");
  const said = page.locator("#said");
  const press = async (id: string) => {
    await page.focus(`#${id}:enabled`);
    await page.keyboard.press("Enter");
  };
  await press("backup");
  await expect.poll(() => said.textContent(), { timeout: 15_000 }).toMatch(/^Full: .* stored of/);
  await press("backup");
  await expect.poll(() => said.textContent(), { timeout: 15_000 }).toMatch(/^Incremental: /);
  const stored = async () => {
    const [, some, all] =
      /^(\d+) of (\d+) pages/.exec((await page.getAttribute("#map", "aria-label")) ?? "") ?? [];
    return Number(some) / Number(all);
  };
  await expect.poll(stored, { timeout: 15_000 }).toBeLessThan(0.5);
  expect(await stored()).toBeGreaterThan(0);
  await page.focus("#time:enabled");
  await page.keyboard.press("Home");
  await expect.poll(() => page.textContent("#when"), { timeout: 15_000 }).toContain(", full, ");
  await press("back");
  await expect.poll(() => said.textContent(), { timeout: 15_000 }).toMatch(/^The database is as it was at/);
  expect(problems).toEqual([]);
});

import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gzipSync } from "node:zlib";
import { Validator } from "@seriousme/openapi-schema-validator";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch } from "./chromium.ts";
import { type LocalWorker, READ_TOKEN, startServe, startWorker, TOKEN } from "./worker.ts";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** With it, every page that a test ends with is kept there to be looked at. */
const { SCREENSHOTS } = process.env;
/** With it, the dashboard is that of `pagemark serve`. */
const isServe = process.env.DASHBOARD === "serve";
const PHONE = { viewport: { width: 390, height: 844 } };

let worker: LocalWorker;
let browser: Browser;
const complaints: string[] = [];

beforeAll(async () => {
  [worker, browser] = await Promise.all([isServe ? startServe() : startWorker(), launch()]);
});
afterAll(async () => {
  await browser?.close();
  await worker?.[Symbol.asyncDispose]();
});

/** A page with a tab of its own. What the console reports of scripts and the policy fails the test. */
async function open(options: BrowserContextOptions = {}, token = TOKEN): Promise<Page> {
  const context = await browser.newContext({ timezoneId: "UTC", ...options, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (/content security policy/i.test(message.text())) complaints.push(message.text());
  });
  await page.goto(worker.url);
  if (token === "") return page;
  await page.getByLabel("Access token").fill(token);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Databases" }).waitFor();
  return page;
}

async function close(page: Page, name: string): Promise<void> {
  if (SCREENSHOTS) {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  }
  await page.context().close();
  expect(complaints.splice(0)).toEqual([]);
}

/** A database with a table of ten rows. */
async function create(name: string): Promise<string> {
  const { uuid } = await worker.call("POST", "", { name });
  await query(
    uuid,
    `CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT);
     WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) INSERT INTO orders SELECT i, 'item ' || i FROM n`,
  );
  return uuid;
}

async function query(uuid: string, sql: string): Promise<Record<string, unknown>[]> {
  return (await worker.call("POST", `/${uuid}/query`, { sql })).at(-1).results;
}

async function seriousProblems(page: Page): Promise<string[]> {
  // As the driver, which the page's policy does not bind.
  const { violations } = (await page.evaluate(`${axe}; axe.run()`)) as {
    violations: { id: string; impact: string; nodes: { html: string }[] }[];
  };
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

describe("signing in", () => {
  test("a wrong token is refused in the API's words, and a right one is kept in the tab only", async () => {
    const page = await open({}, "");
    await page.getByLabel("Access token").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").filter({ hasText: "that token is not known" }).waitFor();
    await page.getByLabel("Access token").fill(TOKEN);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Databases" }).waitFor();
    expect(page.url()).not.toContain(TOKEN);
    expect(await page.evaluate("JSON.stringify(localStorage) + document.cookie")).toBe("{}");
    await page.reload();
    await page.getByRole("heading", { name: "Databases" }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Access token").waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
    await close(page, "sign-in");
  });

  test("who may only read sees everything, and changes nothing", async () => {
    const uuid = await create("readable");
    await worker.call("POST", `/${uuid}/backup`);
    const page = await open({}, READ_TOKEN);
    await page.getByText("Read only").waitFor();
    expect(await page.getByRole("button", { name: "Create database" }).isDisabled()).toBe(true);
    await page.getByRole("link", { name: "readable" }).click();
    await page.getByRole("row").nth(1).waitFor();
    expect(await page.getByRole("button", { name: "Back up now" }).isDisabled()).toBe(true);
    expect(await page.getByRole("button", { name: "Restore backup" }).isDisabled()).toBe(true);
    expect(await page.getByRole("button", { name: "Download backup" }).isEnabled()).toBe(true);
    await close(page, "read-only");
  });
});

describe("a database", () => {
  test("A8 is backed up with progress that is read out, and listed when it is done", async () => {
    const uuid = await create("progressing");
    await query(
      uuid,
      `CREATE TABLE files (body BLOB);
       WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16000) INSERT INTO files SELECT randomblob(3500) FROM n`,
    );
    const page = await open();
    await page.goto(`${worker.url}/#/${uuid}`);
    await page.getByText("There is no backup yet.").waitFor();
    await page.getByRole("button", { name: "Back up now" }).click();
    const activity = page.getByRole("region", { name: "Activity" });
    await activity.getByText("running").waitFor();
    expect(await activity.getByText(/of [\d,]+ pages/).textContent()).toMatch(/^[\d,]+ of [\d,]+ pages$/);
    await activity.getByText("done").waitFor();
    await page.getByRole("table", { name: "Backups" }).waitFor();
    const cells = await page.getByRole("row").nth(1).getByRole("cell").allTextContents();
    const [{ id, file_size }] = await worker.call("GET", `/${uuid}/backup`);
    expect(cells.slice(1, 4)).toEqual([id.slice(0, 8), "2", `${(file_size / 1e6).toFixed(1)} MB`]);
    expect(cells.slice(5, 8)).toEqual(["full", "by hand", "done"]);
    expect(cells[0], "the exact time beside it").toMatch(/^.* [A-Z][a-z]{2} \d+, \d{4}, \d\d:\d\d:\d\d UTC$/);
    expect(await page.getByRole("status").textContent()).toBe("Backup done");
    await close(page, "backup");
  });

  test("A8 a backup that is under way is canceled, and can be made after all", async () => {
    const uuid = await create("canceled");
    await query(
      uuid,
      `CREATE TABLE files (body BLOB);
       WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16000) INSERT INTO files SELECT randomblob(3500) FROM n`,
    );
    const page = await open();
    await page.goto(`${worker.url}/#/${uuid}`);
    await page.getByRole("button", { name: "Back up now" }).click();
    const activity = page.getByRole("region", { name: "Activity" });
    await activity.getByRole("button", { name: "Cancel" }).click();
    await activity.getByText("canceled", { exact: true }).waitFor();
    await page.getByText("There is no backup yet.").waitFor();
    expect(await page.locator(".notice").count()).toBe(0);
    await page.getByRole("button", { name: "Back up now" }).click();
    await activity.getByText("done").waitFor();
    await page.getByRole("table", { name: "Backups" }).waitFor();
    await close(page, "canceled");
  });

  test("A10 a backup is downloaded as a database file with the same rows", async () => {
    const uuid = await create("downloaded");
    const { id } = await worker.call("POST", `/${uuid}/backup`);
    const page = await open();
    await page.getByRole("link", { name: "downloaded" }).click();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download backup" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`downloaded.${id.slice(0, 8)}.sqlite3`);
    const file = new DatabaseSync(await download.path(), { readOnly: true });
    expect(file.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    const sql = "SELECT * FROM orders ORDER BY id";
    expect(file.prepare(sql).all()).toEqual(await query(uuid, sql));
    file.close();
    await close(page, "download");
  });

  test("A12, A13 a restore shows what will vanish, happens, and is undone and done again", async () => {
    const uuid = await create("restored");
    await worker.call("POST", `/${uuid}/backup`);
    await query(
      uuid,
      "DELETE FROM orders WHERE id > 7; CREATE TABLE carts (id); INSERT INTO carts VALUES (1)",
    );
    const page = await open();
    await page.getByRole("link", { name: "restored" }).click();
    await page.getByRole("button", { name: "Restore backup" }).click();
    const dialog = page.getByRole("dialog", { name: "Restore restored" });
    await dialog.getByText("1 table will vanish: carts.").waitFor();
    const rows = await dialog.getByRole("row").allTextContents();
    expect(rows).toEqual(["TableRows nowThenChange", "carts1–vanishes", "orders710changed: 3 put back"]);
    expect(await dialog.getByText("2 tables: 1 vanishes, 1 changes.").isVisible()).toBe(true);
    expect(await seriousProblems(page)).toEqual([]);
    if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, "restore-preview.png") });
    await dialog.getByRole("button", { name: "Restore" }).click();
    await page.getByRole("button", { name: "Undo" }).waitFor();
    const tables = () =>
      query(uuid, "SELECT count(*) AS n, (SELECT count(*) FROM sqlite_schema) AS t FROM orders");
    expect(await tables()).toEqual([{ n: 10, t: 1 }]);
    await page
      .getByRole("cell", { name: "incremental" })
      .or(page.getByRole("cell", { name: "full" }))
      .nth(1)
      .waitFor();
    expect(await worker.call("GET", `/${uuid}/backup`), "one of before").toHaveLength(2);
    await page.getByRole("cell", { name: "before a restore (safety)" }).waitFor();
    // Of a file, the backup before is a part of the restore.
    expect(await page.getByRole("region", { name: "Activity" }).getByRole("listitem").count()).toBe(
      isServe ? 2 : 3,
    );
    // Also after the page was loaded anew.
    await page.reload();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("button", { name: "Redo" }).waitFor();
    expect(await tables()).toEqual([{ n: 7, t: 2 }]);
    await page.getByRole("button", { name: "Redo" }).click();
    await page.getByRole("button", { name: "Undo" }).waitFor();
    expect(await tables()).toEqual([{ n: 10, t: 1 }]);
    await close(page, "restore");
  });

  test("is created, backed up and restored from the keyboard alone", async () => {
    const page = await open();
    /** Presses Tab until the focus is on what has that name. */
    const tabTo = async (name: RegExp) => {
      for (let presses = 0; presses < 40; presses++) {
        await page.keyboard.press("Tab");
        const focused = await page.evaluate(
          "document.activeElement.ariaLabel || document.activeElement.textContent || ''",
        );
        if (name.test(String(focused))) return;
      }
      throw new Error(`Tab does not reach ${name}`);
    };
    await tabTo(/^Create database$/);
    await page.keyboard.press("Enter");
    await page.keyboard.type("keyed");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "keyed" }).waitFor();
    await tabTo(/^Back up now$/);
    expect(
      await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"),
      "focus is seen",
    ).toBe("solid");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Restore backup" }).waitFor();
    await tabTo(/^Restore backup/);
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await page.evaluate("document.activeElement.ariaLabel"), "focus comes back").toMatch(
      /^Restore backup/,
    );
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").getByText("Neither has any tables.").waitFor();
    await tabTo(/^Restore$/);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Undo" }).waitFor();
    await tabTo(/^Undo$/);
    await close(page, "keyboard");
  });

  test("that is not there says so", async () => {
    const page = await open();
    await page.goto(`${worker.url}/#/${crypto.randomUUID()}`);
    await page.getByText(/could not be found/).waitFor();
    await close(page, "missing");
  });
});

describe("the page", () => {
  test("fits a phone, and axe finds nothing serious, light or dark", async () => {
    const uuid = await create("a-database-with-quite-a-long-name-that-has-no-spaces-in-it");
    await worker.call("POST", `/${uuid}/backup`);
    await query(uuid, "DELETE FROM orders WHERE id < 4");
    await worker.call("POST", `/${uuid}/backup`);
    const looks = [
      { name: "phone-light", ...PHONE, colorScheme: "light" },
      { name: "phone-dark", ...PHONE, colorScheme: "dark" },
      { name: "desk-light", viewport: { width: 1280, height: 800 }, colorScheme: "light" },
      { name: "desk-dark", viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
    ] as const;
    for (const { name, ...look } of looks) {
      const page = await open(look, "");
      expect(await seriousProblems(page), `${name}, signing in`).toEqual([]);
      await page.getByLabel("Access token").fill(TOKEN);
      await page.keyboard.press("Enter");
      await page.getByRole("link", { name: "quite-a-long-name" }).waitFor();
      expect(await seriousProblems(page), `${name}, list`).toEqual([]);
      await page.getByRole("link", { name: "quite-a-long-name" }).click();
      await page.getByRole("img", { name: /2 backups take/ }).waitFor();
      expect(await seriousProblems(page), `${name}, database`).toEqual([]);
      expect(await page.getByRole("row").count(), "still a table").toBe(3);
      const { width } = look.viewport;
      expect(await page.evaluate("document.documentElement.scrollWidth"), name).toBeLessThanOrEqual(width);
      await close(page, name);
    }
  });

  test("shows on a phone and on a desk what a restore changes, and that there are more tables", async () => {
    const uuid = await create("many");
    const names = Array.from({ length: 20 }, (_, at) => `table_with_a_name_${at}`);
    await query(
      uuid,
      names.map((name) => `CREATE TABLE ${name} (a); INSERT INTO ${name} VALUES (1)`).join(";"),
    );
    await worker.call("POST", `/${uuid}/backup`);
    await query(uuid, "UPDATE table_with_a_name_3 SET a = 2; DELETE FROM orders WHERE id = 1");
    for (const [name, width] of [
      ["preview-phone", 390],
      ["preview-desk", 1280],
    ] as const) {
      const page = await open({ viewport: { width, height: 844 } });
      await page.goto(`${worker.url}/#/${uuid}`);
      await page.getByRole("button", { name: "Restore backup" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("21 tables: 2 change, 19 stay as they are.").waitFor();
      const change = dialog.getByRole("cell", { name: "changed: 1 overwritten" });
      const box = await change.boundingBox();
      expect(box && box.x >= 0 && box.x + box.width, name).toBeLessThanOrEqual(width);
      expect(
        await dialog.evaluate(
          "document.querySelector('.scroll').scrollWidth <= document.querySelector('.scroll').clientWidth",
        ),
      ).toBe(true);
      expect(await seriousProblems(page), name).toEqual([]);
      if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
      await close(page, `${name}-page`);
    }
  });

  test("lists backups of deleted databases, which become new databases or are deleted", async () => {
    const uuid = await create("lost-shop");
    for (const _ of [1, 2]) await worker.call("POST", `/${uuid}/backup`);
    await worker.call("DELETE", `/${uuid}`);
    for (const [name, width] of [
      ["deleted-phone", 390],
      ["deleted-desk", 1280],
    ] as const) {
      const page = await open({ viewport: { width, height: 844 } });
      const deleted = page.getByRole("link", { name: "lost-shop" }).filter({ hasText: "deleted" });
      await deleted.waitFor();
      if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}-list.png`), fullPage: true });
      expect(await seriousProblems(page), `${name}, list`).toEqual([]);
      await deleted.click();
      await page.getByRole("table", { name: "Backups" }).waitFor();
      expect(await seriousProblems(page), name).toEqual([]);
      expect(await page.evaluate("document.documentElement.scrollWidth"), name).toBeLessThanOrEqual(width);
      if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
      await page.getByRole("button", { name: "Restore backup" }).first().click();
      await page.getByLabel("Name").fill(`found-${width}`);
      if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}-dialog.png`) });
      await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
      await page.getByRole("heading", { name: `found-${width}` }).waitFor();
      await page.goBack();
      const backups = page.getByRole("button", { name: "Delete backup" });
      await backups.first().waitFor();
      // A server of files makes one more before it removes a file, and the older ones are part of the newer.
      const count = await backups.count();
      for (let left = count; left > (width === 390 ? count - 1 : 0); left--) {
        await backups.first().click();
        await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
        await backups.nth(left - 1).waitFor({ state: "detached" });
      }
      // With the last one the database is forgotten.
      if (width === 1280) await page.getByRole("heading", { name: "Databases" }).waitFor();
      await close(page, `${name}-end`);
    }
    expect(await worker.call("GET", "/found-1280")).toMatchObject({ num_tables: 1 });
  });

  test("comes with a policy that allows nothing but itself, and is small", async () => {
    const answer = await fetch(worker.url);
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    const page = await browser.newPage();
    const bodies: Promise<Buffer>[] = [];
    page.on("response", (response) => bodies.push(response.body()));
    await page.goto(worker.url, { waitUntil: "networkidle" });
    // What a browser receives: Cloudflare compresses it, workerd here does not.
    const size = (await Promise.all(bodies)).reduce((sum, body) => sum + gzipSync(body).length, 0);
    await page.close();
    expect(bodies.length).toBeGreaterThan(10);
    expect(size).toBeLessThan(30_000);
  });
});

test("/openapi.json is a valid document", async () => {
  const document = await (await fetch(`${worker.url}/openapi.json`)).json();
  const { valid, errors } = await new Validator().validate(document);
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
});

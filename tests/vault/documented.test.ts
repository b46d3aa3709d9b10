// Every statement of CockroachDB's and QuestDB's documents, one by one: by the library, and typed into `pagemark sql`.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { file, folder, openStore } from "pagemark";
import { openVault, type SavedSchedule } from "pagemark/vault";
import { expect, test } from "vitest";
import { main } from "../support/cli.ts";
import {
  BANK,
  type Documented,
  documentedStatements,
  expectEffect,
} from "../support/documented-statements.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const root = tempFolder();

/** A folder with the database, which nothing has changed for a second, and the statements with places in it. */
async function bank(): Promise<{ at: string; data: string; statements: Documented[] }> {
  const at = mkdtempSync(join(root, "bank-"));
  const data = join(at, "data");
  mkdirSync(data);
  runSql(join(data, "bank.db"), BANK);
  await sleep(1100);
  return { at, data, statements: documentedStatements(at) };
}

test("B1 B2 B3 B4 B6 B11 B12 B13 E1 E2 E3 E7 E8 each documented statement comes to what it says, by the library", async () => {
  const { at, data, statements } = await bank();
  const saved: SavedSchedule[] = [];
  const names = new Set(["bank"]);
  const source = (name: string) => file(join(data, `${name}.db`));
  const vault = openVault({
    databases: {
      names: async () => [...names],
      find: async (name) => (names.has(name) ? source(name) : undefined),
      create: async (name) => source(names.add(name) && name),
    },
    store: folder(join(at, "usual")),
    openStore: (urls) => openStore(urls),
    schedules: {
      list: async () => [...saved],
      save: async (all) => saved.splice(0, saved.length, ...all).length >= 0,
      next: () => Date.UTC(2030, 0, 1),
    },
  });
  for (const each of statements) {
    const found = await vault.sql(each.statement).then(
      ({ rows }) => rows,
      (error) => error.code ?? error,
    );
    expectEffect(each, found);
  }
});

test("B1 B2 B3 B4 B6 B11 B12 B13 E1 E2 E3 E7 E8 each documented statement comes to what it says, typed into pagemark sql", async () => {
  const { at, data, statements } = await bank();
  const type = (text: string) =>
    spawnSync(process.execPath, [main, "sql", "--data", data, "--to", join(at, "usual"), "--json"], {
      encoding: "utf8",
      input: text,
    });
  /** Those that go well are typed in a row: the first that fails ends it. */
  let row: Documented[] = [];
  const typeRow = () => {
    const { stdout, stderr } = type(row.map(({ statement }) => statement).join("\n"));
    const answers = stdout.split("\n").filter(Boolean);
    for (const [place, each] of row.entries()) {
      const answer = answers[place];
      if (answer === undefined) throw new Error(`${each.name}: ${stderr}`);
      expectEffect(each, JSON.parse(answer).rows);
    }
    row = [];
  };
  for (const each of statements) {
    if (typeof each.effect !== "string") row.push(each);
    // What is no statement is refused before anything else.
    if (typeof each.effect !== "string" || each.effect === "STATEMENT_SYNTAX") continue;
    typeRow();
    const { status, stderr } = type(each.statement);
    expectEffect(each, JSON.parse(stderr).error.code);
    expect(status, each.name).toBeGreaterThan(0);
  }
  typeRow();
});

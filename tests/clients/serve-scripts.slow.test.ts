// examples/serve: the script that backs up daily, and the line for cron, on the files themselves and against `pagemark serve`.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { folder, memory, pagemark } from "pagemark";
import { describe, expect, test } from "vitest";
import { main } from "../support/cli.ts";
import { BANK, documentedStatements, expectEffect } from "../support/documented-statements.ts";
import { runSql } from "../support/temp.ts";
import { TOKEN } from "./api.ts";
import { TestServer } from "./served.ts";

const examples = join(import.meta.dirname, "../../examples/serve");
const server = new TestServer((folder) => ["--allow-store", folder]);

/** A day of the script, which asks `date` for it: whose database, and where it is. */
class Script {
  readonly bin = join(server.folder, "bin");
  readonly base: string;
  readonly recent: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(name: string, env: NodeJS.ProcessEnv = {}) {
    this.base = join(server.folder, name);
    this.recent = join(server.folder, `${name}.txt`);
    this.#env = env;
    mkdirSync(this.bin, { recursive: true });
    if (!existsSync(join(this.bin, "pagemark"))) symlinkSync(main, join(this.bin, "pagemark"));
    const date = `#!/bin/sh\n[ "$1" = +%A ] && echo "$TODAY" || exec /bin/date "$@"\n`;
    writeFileSync(join(this.bin, "date"), date);
    chmodSync(join(this.bin, "date"), 0o755);
  }

  run(today: string, settings: Record<string, string> = {}) {
    const all = { full_day: "Sunday", base: this.base, recent: this.recent, ...settings };
    const file = join(server.folder, "settings.sh");
    writeFileSync(
      file,
      Object.entries(all)
        .map(([name, value]) => `${name}='${value}'\n`)
        .join(""),
    );
    return spawnSync("bash", [join(examples, "backup.sh"), file], {
      cwd: server.data,
      encoding: "utf8",
      env: { ...process.env, ...this.#env, TODAY: today, PATH: [this.bin, process.env.PATH].join(delimiter) },
    });
  }

  /** Of the backups, oldest first. */
  async kinds(): Promise<string[]> {
    const kinds: string[] = [];
    const database = pagemark(memory(new Uint8Array()), { store: folder(this.base), name: "shop" });
    for await (const { kind } of database.backups()) kinds.unshift(kind);
    return kinds;
  }
}

function write(value: number): void {
  const db = new DatabaseSync(join(server.data, "shop.db"));
  db.exec(`CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES (${value})`);
  db.close();
}

describe.each([
  ["on the files", () => ({})],
  ["against the server", () => ({ PAGEMARK_URL: server.url, PAGEMARK_TOKEN: TOKEN })],
])("the daily script, %s", (where, env) => {
  test("B6 B7 makes a full backup at first and on its day, and incremental ones between; B9 another one when its notes are gone", async () => {
    const script = new Script(where.replaceAll(" ", "-"), env());
    for (const [at, day] of ["Friday", "Saturday", "Sunday", "Monday"].entries()) {
      write(at);
      const { status, stderr } = script.run(day);
      expect(status, stderr).toBe(0);
    }
    expect(await script.kinds()).toEqual(["full", "incremental", "full", "incremental"]);
    rmSync(script.recent);
    expect(script.run("Tuesday").status).toBe(0);
    expect((await script.kinds()).at(-1)).toBe("full");
    expect(readFileSync(script.recent, "utf8")).toMatch(/^\d{8}-\d{4}\n$/);
  });

  test("B10 two backups of one minute are two; what fails is no success", async () => {
    const script = new Script(`${where.replaceAll(" ", "-")}-again`, env());
    for (let times = 0; times < 2; times++) expect(script.run("Monday").status).toBe(0);
    expect(await script.kinds()).toHaveLength(2);
    for (const settings of [
      { full_day: "sunday" },
      { full_day: "Sonntag" },
      { what: "DATABASE missing" },
      { backup_parameters: "WITH nonsense" },
      { base: "/proc/nowhere" },
    ])
      expect(script.run("Monday", settings).status, JSON.stringify(settings)).not.toBe(0);
    expect(await script.kinds()).toHaveLength(2);
  });
});

test("E12 cron's line backs up all databases, and fails when the server does not answer", async () => {
  const [, line = ""] =
    /^0 1 \S+ \S+ \S+ app (curl .*)$/m.exec(readFileSync(join(examples, "crontab"), "utf8")) ?? [];
  const rc = join(server.folder, "curlrc");
  writeFileSync(rc, `header = "Authorization: Bearer ${TOKEN}"\n`);
  const at = (url: string) =>
    spawnSync("bash", ["-c", line.replace("/etc/pagemark/curlrc", rc).replace("http://127.0.0.1:8788", url)]);
  await server.create("nightly");
  expect(at(server.url).status).toBe(0);
  const backups = await server.backups(await uuidOf("nightly"));
  expect(backups).toHaveLength(1);
  expect(at("http://127.0.0.1:9").status).not.toBe(0);
});

test("B1 B2 B3 B4 B6 B11 B12 B13 E1 E2 E3 E7 E8 each documented statement comes to what it says by GET /exec, and goes nowhere else", async () => {
  // The other tests' would be backed up, too.
  for (const name of readdirSync(server.data)) rmSync(join(server.data, name), { recursive: true });
  const path = join(server.data, "bank.db");
  runSql(path, BANK);
  // The statements say that it has not changed for a second.
  await sleep(1100);
  const exec = async (query: string) => {
    const url = `${server.url}/exec?${new URLSearchParams({ query })}`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } });
    const { error, columns, dataset } = (await answer.json()) as Answer;
    expect(answer.ok, query).toBe(error === undefined);
    if (error !== undefined) return error.slice(error.lastIndexOf(" ") + 1);
    return dataset.map((row) => Object.fromEntries(columns.map(({ name }, at) => [name, row[at]])));
  };
  for (const each of documentedStatements(server.folder)) expectEffect(each, await exec(each.statement));
  for (const place of ["../x", "..?PAGEMARK_LOCALITY=default", "a?PAGEMARK_LOCALITY=default /etc"])
    expect(await exec(`BACKUP DATABASE bank TO '${join(server.folder, place)}'`), place).toBe("STORE_DENIED");
});

interface Answer {
  error?: string;
  columns: { name: string }[];
  dataset: unknown[][];
}

async function uuidOf(name: string): Promise<string> {
  const answer = await fetch(`${server.api}/accounts/a/d1/database/${name}`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  return ((await answer.json()) as { result: { uuid: string } }).result.uuid;
}

// Other Workers that hand over what TypeScript would have refused, and what is said of it in the log.
import { createExecutionContext, env, SELF } from "cloudflare:test";
import Entrypoint from "pagemark/worker";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { call, create, DATABASES, rows } from "./worker-api.ts";

const WRONG = [
  5,
  "",
  {},
  [],
  [5],
  [{}],
  [{ sql: 5 }],
  true,
  null,
  Symbol.iterator.description,
  new Date(Number.NaN),
  1n,
];

describe("callers through a binding", () => {
  let uuid: string;
  beforeAll(async () => {
    uuid = await create("callers");
  });
  const CALLS: Record<string, (binding: Loose, wrong: unknown) => Promise<unknown>> = {
    database: (binding, wrong) => binding.database(wrong).info(),
    prepare: (binding, wrong) => binding.database("callers").prepare(wrong).all(),
    bind: (binding, wrong) => binding.database("callers").prepare("SELECT ?, ?").bind(wrong).all(),
    batch: (binding, wrong) => binding.database("callers").batch(wrong),
    exec: (binding, wrong) => binding.database("callers").exec(wrong),
    "backup full": (binding, wrong) => binding.database("callers").backup({ full: wrong }),
    "backup onProgress": (binding, wrong) => binding.database("callers").backup({ onProgress: wrong }),
    deleteBackup: (binding, wrong) => binding.database("callers").deleteBackup(wrong),
    restore: (binding, wrong) => binding.database("callers").restore({ at: wrong }),
    "restore to": (binding, wrong) => binding.database("callers").restore({ to: wrong ?? 0 }),
    download: (binding, wrong) => binding.database("callers").download("00000000", { range: wrong }),
    "dump tables": (binding, wrong) => binding.database("callers").dump({ tables: wrong, at: "00000000" }),
    "dump dialect": (binding, wrong) => binding.database("callers").dump({ dialect: wrong ?? 0 }),
    "dump range": (binding, wrong) => binding.database("callers").dump({ range: wrong ?? 0 }),
    bookmarkAt: (binding, wrong) => binding.database("callers").bookmarkAt(wrong),
    verify: (binding, wrong) => binding.database("callers").verify(wrong ?? "00000000"),
    "no database": (binding, wrong) => binding.prepare(wrong).all(),
  };

  test("A11 what names no state restores nothing: not the newest backup either", async () => {
    const id = await create("misnamed");
    await rows(id, "CREATE TABLE t (a)");
    const db: Loose = (new Entrypoint(createExecutionContext(), env) as Loose).database("misnamed");
    const backup = await db.backup();
    await rows(id, "INSERT INTO t VALUES (1)");
    for (const wrong of [backup.id, { id: backup.id }, { At: backup.id }, [backup.id], null, 5]) {
      await expect(db.restore(wrong)).rejects.toMatchObject({ code: "USAGE" });
    }
    expect(await rows(id, "SELECT a FROM t")).toEqual([{ a: 1 }]);
  });

  test("D11 a dump of a table that is not there is an error of the call, and no stream that breaks off", async () => {
    const db: Loose = (new Entrypoint(createExecutionContext(), env) as Loose).database("callers");
    await expect(db.dump({ tables: ["nope"] })).rejects.toMatchObject({ code: "TABLE_UNKNOWN" });
  });

  test.each(Object.keys(CALLS))("%s: an error with a code, whatever is handed over", async (name) => {
    for (const wrong of WRONG) {
      const isFine = (name === "exec" && wrong === "") || (name.startsWith("backup") && wrong === true);
      if (isFine || (name === "batch" && Array.isArray(wrong) && wrong.length === 0)) continue;
      const error = await CALLS[name]?.(new Entrypoint(createExecutionContext(), env), wrong).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect((error as { code?: string } | undefined)?.code, `${name} ${String(wrong)}: ${error}`).toMatch(
        /^[A-Z]+(_[A-Z]+)*$/,
      );
    }
    expect(await rows(uuid, "SELECT count(*) AS n FROM sqlite_schema")).toEqual([{ n: 0 }]);
  });
});

test("a range of SQL that another request may not give again is refused", async () => {
  const binding = new Entrypoint(createExecutionContext(), env).database("callers");
  const range = { offset: 0, length: 10 };
  for (const at of [undefined, new Date()]) {
    await expect(binding.dump({ range, ...(at && { at }) })).rejects.toMatchObject({ code: "USAGE" });
  }
});

test("A1 the first uses of a binding, all at once, make one database and each has an answer", async () => {
  const first = () => {
    const ctx = Object.create(createExecutionContext(), { props: { value: { database: "at once" } } });
    return new Entrypoint(ctx, env).info();
  };
  const answers = await Promise.all(Array.from({ length: 8 }, first));
  expect(new Set(answers.map(({ uuid }) => uuid)).size).toBe(1);
  const listed = (await call("?name=at%20once")).body.result;
  expect(listed.map(({ uuid }: { uuid: string }) => uuid)).toEqual([answers[0]?.uuid]);
});

test("of two that create a database of the same name at once, one is told that there is one", async () => {
  const both = await Promise.all([1, 2].map(() => call("", { name: "the same" })));
  expect(both.map(({ status }) => status).sort()).toEqual([200, 400]);
  const codes = both.flatMap(({ body }) => body.errors.map(({ code }: { code: number }) => code));
  expect(codes).toEqual([7502]);
});

// biome-ignore lint/suspicious/noExplicitAny: a caller without types
type Loose = any;

describe("the log", () => {
  afterEach(() => void vi.restoreAllMocks());

  test("says nothing of tokens, of SQL and its parameters, or of signed addresses", async () => {
    const said: string[] = [];
    for (const level of ["log", "info", "warn", "error", "debug"] as const) {
      vi.spyOn(console, level).mockImplementation((...parts) => {
        said.push(
          parts.map((part) => (part instanceof Error ? `${part.stack}` : JSON.stringify(part))).join(" "),
        );
      });
    }
    const uuid = await create("quiet");
    const secret = "canary-4711";
    const send = (path: string, init: RequestInit = {}) =>
      SELF.fetch(`${DATABASES}${path}`, { ...init, headers: { authorization: `Bearer ${secret}` } });
    await send("");
    await send(`/${uuid}/query?token=${secret}`, { method: "POST", body: "{" });
    await call(`/${uuid}/query`, { sql: `SELECT '${secret}' FROM nothing`, params: [secret] });
    await call(`/${uuid}/query`, { sql: "SELECT ?", params: [{ secret }] });
    let url = "";
    for (let polls = 0; polls < 50 && url === ""; polls++) {
      const { body } = await call(`/${uuid}/export`, { output_format: "polling" });
      url = body.result?.result?.signed_url ?? "";
    }
    expect((await SELF.fetch(url)).status).toBe(200);
    expect((await SELF.fetch(`${url}x`)).status).toBeGreaterThanOrEqual(400);
    const log = said.join("\n");
    for (const hidden of [secret, url, env.PAGEMARK_TOKEN ?? "", "Bearer"].filter(
      (text) => text.length > 3,
    )) {
      expect(log).not.toContain(hidden);
    }
  });
});

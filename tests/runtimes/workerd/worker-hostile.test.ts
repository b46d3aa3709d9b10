// Requests that no honest client sends: each is refused in the envelope, soon, and changes nothing.
import { env, SELF } from "cloudflare:test";
import { beforeAll, describe, expect, test } from "vitest";
import { call, create, DATABASES, post, rows } from "./worker-api.ts";

const BASE = "https://pagemark/client/v4";
/** In milliseconds, on a machine that does much else. */
const SOON = 10_000;

let uuid: string;
let backup: string;
beforeAll(async () => {
  uuid = await create("hostile");
  await rows(uuid, "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  backup = (await post(`/${uuid}/backup`)).body.result.id;
});

interface Sent extends RequestInit {
  token?: string | null;
}

/** Sends it, and looks that the answer is one that a client understands. */
async function send(url: string, { token = "all", headers, ...init }: Sent = {}) {
  const start = performance.now();
  const answer = await SELF.fetch(url.startsWith("https:") ? url : `${BASE}${url}`, {
    redirect: "manual",
    ...init,
    headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
  });
  const text = await answer.text();
  const said = `${init.method ?? "GET"} ${url.slice(0, 200)}: ${answer.status} ${text.slice(0, 300)}`;
  expect(performance.now() - start, said).toBeLessThan(SOON);
  expect(answer.status, said).toBeLessThan(500);
  if (answer.status < 400 || init.method === "HEAD") return { status: answer.status, text, body: undefined };
  const body = JSON.parse(text);
  expect(body, said).toMatchObject({ success: false, result: null, messages: [], errors: expect.any(Array) });
  for (const { code, message } of body.errors) {
    expect([typeof code, typeof message], said).toEqual(["number", "string"]);
    expect(message, said).not.toMatch(/\bat \w+ \(|\.js:\d/);
  }
  return { status: answer.status, text, body };
}

/** Every route, with `{account}`, `{database}` and `{backup}` to be filled in. */
const ROUTES: [method: string, path: string, body?: unknown][] = [
  ["PUT", "/accounts/{account}/d1/database/{database}", { read_replication: { mode: "disabled" } }],
  ["PATCH", "/accounts/{account}/d1/database/{database}", {}],
  ["GET", "/accounts/{account}/d1/database"],
  ["POST", "/accounts/{account}/d1/database", { name: "x" }],
  ["GET", "/accounts/{account}/d1/database/{database}"],
  ["DELETE", "/accounts/{account}/d1/database/{database}"],
  ["POST", "/accounts/{account}/d1/database/{database}/query", { sql: "SELECT 1" }],
  ["POST", "/accounts/{account}/d1/database/{database}/raw", { sql: "SELECT 1" }],
  ["POST", "/accounts/{account}/d1/database/{database}/backup"],
  ["GET", "/accounts/{account}/d1/database/{database}/backup"],
  ["DELETE", "/accounts/{account}/d1/database/{database}/backup/{backup}"],
  ["GET", "/accounts/{account}/d1/database/{database}/backup/{backup}/download"],
  ["POST", "/accounts/{account}/d1/database/{database}/backup/{backup}/restore"],
  ["GET", "/accounts/{account}/d1/database/{database}/time_travel/bookmark"],
  ["POST", "/accounts/{account}/d1/database/{database}/time_travel/restore"],
  ["GET", "/accounts/{account}/d1/database/{database}/download"],
  ["GET", "/accounts/{account}/d1/database/{database}/backup/{backup}/preview"],
  ["GET", "/accounts/{account}/d1/database/{database}/jobs"],
  ["POST", "/accounts/{account}/d1/database/{database}/export", { output_format: "polling" }],
  ["POST", "/accounts/{account}/d1/database/{database}/import", { action: "init" }],
];

const BAD = [
  "..%2F..%2Fetc",
  "..%5C..%5Cx",
  "%00",
  "a%00b",
  "%E0%A4%A",
  "%zz",
  "%ED%A0%80",
  "x".repeat(10_000),
  "%F0%9F%92%A9",
  "__proto__",
  "constructor",
  "'%20OR%201=1--",
  "%0d%0aset-cookie:x",
  "null",
  "-1",
  "1e999",
  "{database}",
  "00000000-0000-0000-0000-00000000000g",
  "a%2Fb",
  "%252e%252e%252f",
  "*",
  "%3Cscript%3E",
];

const filled = (path: string, { account = "acct", database = uuid, id = backup } = {}) =>
  `${path.replace("{account}", account).replace("{database}", database).replace("{backup}", id)}`;

const json = (value: unknown): Sent =>
  value === undefined ? {} : { body: JSON.stringify(value), headers: { "content-type": "application/json" } };

describe("D2 paths", () => {
  test.each(ROUTES)("%s %s", async (method, path, body) => {
    const init = { method, ...json(body) };
    for (const bad of BAD) {
      // Any word is an account.
      if (!/^([\w-]+|\{.*)$/.test(bad))
        expect([400, 404], bad).toContain((await send(filled(path, { account: bad }), init)).status);
      if (path.includes("{database}"))
        expect([400, 404], bad).toContain((await send(filled(path, { database: bad }), init)).status);
      if (path.includes("{backup}"))
        expect([400, 404], bad).toContain((await send(filled(path, { id: bad }), init)).status);
    }
    expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 1 }]);
  });

  test("an account id has 32 characters, a database id is a UUID: 400, and where it is", async () => {
    const answers = [
      await send(`/accounts/${"a".repeat(33)}/d1/database`),
      await send("/accounts/acct/d1/database/no-uuid/backup"),
      await send(`/accounts/acct/d1/database/${uuid}/query`, {
        method: "POST",
        ...json({ batch: [{ sql: 1 }] }),
      }),
      await send("/accounts/acct/d1/database?page=x"),
    ];
    expect(
      answers.map(({ status, body }) => [status, body.errors[0].code, body.errors[0].source?.pointer]),
    ).toEqual([
      [400, 7400, "/account_id"],
      [400, 7400, "/database_id"],
      [400, 7400, "/batch/0/sql"],
      [400, 7400, "/page"],
    ]);
    expect((await send(`/accounts/${"a".repeat(32)}/d1/database`)).status).toBe(200);
  });

  test("empty segments are passed over, as wrangler needs it", async () => {
    expect((await send("//accounts//acct/d1/database")).status).toBe(200);
    expect(
      (await send("https://pagemark//client/v4//accounts/acct/d1/database", { token: null })).status,
    ).toBe(401);
  });

  test("other methods on every path are refused", async () => {
    for (const [, path] of ROUTES) {
      for (const method of ["PUT", "PATCH", "OPTIONS", "HEAD", "PROPFIND"]) {
        if (ROUTES.some((each) => each[0] === method && each[1] === path)) continue;
        const { status } = await send(filled(path, { id: "00000000" }), { method });
        expect([200, 404, 405], `${method} ${path}`).toContain(status);
        if (method !== "HEAD") expect([404, 405], `${method} ${path}`).toContain(status);
      }
    }
  });
});

const WRONG = [null, 1, "", "x", [], {}, true, [[]], { sql: {} }, "\u0000", "\ud800", "x".repeat(10_000), -1];

describe("bodies", () => {
  const routes = ROUTES.filter(([method]) => method === "POST");

  test.each(routes)("%s %s: of wrong types, of no JSON, without a type", async (method, path, right) => {
    if (path.endsWith("restore") || path.endsWith("backup")) return;
    const url = filled(path);
    const fields = [
      ...["sql", "params", "batch", "name"],
      ...[
        "output_format",
        "current_bookmark",
        "dump_options",
        "outputFormat",
        "currentBookmark",
        "dumpOptions",
      ],
      ...["action", "etag", "filename"],
    ];
    for (const wrong of WRONG) {
      const bodies = [wrong, ...fields.map((field) => ({ ...(right as object), [field]: wrong }))];
      for (const body of bodies) await send(url, { method, ...json(body) });
    }
    for (const text of [
      "",
      "{",
      "nul",
      "[".repeat(100_000),
      '{"sql":',
      `{"__proto__":{"sql":"SELECT 1"}}`,
      "\ufeff{}",
      "\xff",
    ]) {
      for (const type of ["application/json", "text/plain", "", "application/json; charset=utf-16"]) {
        const { status } = await send(url, { method, body: text, headers: { "content-type": type } });
        expect([400, 415], `${type} ${text.slice(0, 50)}`).toContain(status);
      }
    }
    expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 1 }]);
  });

  test("a body of more than 10 MiB is refused, also when it does not say how long it is", async () => {
    const url = filled("/accounts/{account}/d1/database/{database}/query");
    const headers = { "content-type": "application/json" };
    const long = await send(url, { method: "POST", ...json({ sql: `SELECT 1 -- ${"x".repeat(11 << 20)}` }) });
    expect(long.status).toBe(413);
    let left = 200;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (left-- === 0) controller.close();
        else controller.enqueue(new Uint8Array(1 << 20).fill(32));
      },
    });
    expect((await send(url, { method: "POST", body, headers })).status).toBe(413);
    const fits = await send(url, { method: "POST", ...json({ sql: `SELECT 1 -- ${"x".repeat(9 << 20)}` }) });
    expect(fits.status).toBe(200);
  });

  test("parameters of every wrong kind", async () => {
    const url = `/${uuid}/query`;
    for (const params of [
      [{}],
      [[256]],
      [[-1]],
      [[1.5]],
      [["x"]],
      [[[]]],
      {},
      "x",
      Array(40_000).fill(1),
      [1, 2],
      [],
    ]) {
      const { status } = await call(url, { sql: "SELECT ?", params });
      expect(status, JSON.stringify(params).slice(0, 50)).toBe(400);
    }
    expect((await call(url, { sql: "SELECT ?", params: ["\ud800"] })).status).toBe(200);
  });

  test("names that would hide or break are refused; others are kept as they are", async () => {
    const bad = [
      "",
      " \u0000",
      "a\nb",
      "\ud800",
      "x".repeat(65),
      "é".repeat(60),
      "a\u2028b",
      "a\u202eb",
      ".",
      "..",
      "../../x",
      "a/b",
      "a\\b",
    ];
    for (const name of bad) {
      expect((await call("", { name })).status, JSON.stringify(name)).toBe(400);
    }
    for (const name of [
      "ünï😀",
      "%2e%2e",
      "CON",
      "...",
      "'; DROP TABLE databases; --",
      "constructor",
      uuid.slice(1),
    ]) {
      const made = await create(name);
      expect((await call(`/${made}`)).body.result.name).toBe(name);
      expect((await call(`/${encodeURIComponent(name)}`)).body.result.uuid).toBe(made);
      const { id } = (await post(`/${made}/backup`)).body.result;
      const file = await SELF.fetch(`${DATABASES}/${made}/backup/${id}/download`, {
        headers: { authorization: "Bearer all" },
      });
      expect(file.headers.get("content-disposition")).toMatch(
        /^attachment; filename="[\w.-]+"; filename\*=UTF-8''[^/\\"]+$/,
      );
      expect((await file.arrayBuffer()).byteLength).toBe(4096);
    }
    const keys = (await env.BACKUPS.list()).objects.map(({ key }) => key);
    expect(keys.filter((key) => key.split("/").some((part) => part === ".." || part === "."))).toEqual([]);
  });
});

describe("queries in the URL", () => {
  test.each([
    ["GET", "?page=0"],
    ["GET", "?page=1e9999"],
    ["GET", "?page=9007199254740991&per_page=10000"],
    ["GET", "?per_page=-1"],
    ["GET", `?name=${"x".repeat(5000)}`],
    ["GET", "/{database}/time_travel/bookmark?timestamp=nonsense"],
    ["GET", "/{database}/time_travel/bookmark?timestamp=9999-99-99"],
    ["GET", `/{database}/time_travel/bookmark?timestamp=${"1".repeat(10_000)}`],
    ["POST", "/{database}/time_travel/restore?bookmark=../../x"],
    [
      "POST",
      "/{database}/time_travel/restore?bookmark=ffffffff-ffffffff-ffffffff-ffffffffffffffffffffffffffffffff",
    ],
    ["POST", "/{database}/time_travel/restore?timestamp=-1h%00"],
    ["POST", "/{database}/time_travel/restore?bookmark=&timestamp="],
    ["GET", "/{database}/backup/{backup}/download?format=exe"],
    ["GET", "/{database}/backup/{backup}/download?format=sqlite&format=__proto__x"],
  ])("%s %s", async (method, path) => {
    const url = filled(`/accounts/acct/d1/database${path}`);
    const { status } = await send(url, { method });
    expect([200, 400, 404]).toContain(status);
    if (!path.includes("format=sqlite&")) expect([400, 404]).toContain(status);
  });

  test("ranges that are none, or outside of the file", async () => {
    const url = filled("/accounts/acct/d1/database/{database}/backup/{backup}/download");
    for (const range of [
      "bytes=5-2",
      "bytes=-",
      "bytes=0-1,3-4",
      "bytes=x-y",
      "bytes=",
      "lines=1-2",
      "bytes=99999999999999999-",
    ]) {
      expect((await send(url, { headers: { range } })).status, range).toBe(200);
    }
    const size = (await send(url, { headers: { range: "bytes=-999999" } })).text.length;
    for (const range of ["bytes=999999-", `bytes=${size}-`, "bytes=-0"]) {
      expect((await send(url, { headers: { range } })).status, range).toBe(416);
    }
  });
});

describe("D13 tokens", () => {
  test("none, a forged one, parts of one, several: 401 or 403 on every route, and nothing happens", async () => {
    for (const [method, path, body] of ROUTES) {
      const init = { method, ...json(body) };
      const status = async (headers: Record<string, string>) =>
        (await send(filled(path), { ...init, token: null, headers: { ...init.headers, ...headers } })).status;
      expect(await status({})).toBe(401);
      for (const value of [
        "Bearer",
        "Basic YWxsOmFsbA==",
        "Bearer all all",
        "all",
        `Token ${"x".repeat(9000)}`,
      ])
        expect(await status({ authorization: value }), value.slice(0, 30)).toBe(401);
      for (const value of [
        "Bearer al",
        "Bearer ALL",
        "Bearer all,all",
        "Bearer undefined",
        "Bearer null",
        `Bearer ${"x".repeat(9000)}`,
      ])
        expect(await status({ authorization: value }), value.slice(0, 30)).toBe(403);
      expect(await status({ "x-auth-key": "all" })).toBe(401);
      expect(await status({ "x-auth-email": "a@b.c", "x-auth-key": "wrong" })).toBe(403);
    }
    expect(await rows(uuid, "SELECT a FROM t")).toEqual([{ a: 1 }]);
  });

  test("a token that only reads changes nothing on any route", async () => {
    const before = (await call(`/${uuid}/backup`)).body.result;
    for (const [method, path, body] of ROUTES) {
      if (method === "GET" || /(query|raw|export)$/.test(path)) continue;
      const init = { method, token: "look", ...json(body) };
      expect((await send(filled(path), init)).status, `${method} ${path}`).toBe(403);
    }
    expect((await call(`/${uuid}/backup`)).body.result).toEqual(before);
  });
});

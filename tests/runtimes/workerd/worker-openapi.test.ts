import { SELF } from "cloudflare:test";
import { expect, test } from "vitest";
import { app } from "../../../js/dist/api/app.js";

type Described = Record<string, Record<string, { summary?: string; responses: object }>>;

const describedPaths = async () => {
  const answer = await SELF.fetch("https://pagemark/openapi.json");
  return ((await answer.json()) as { paths: Described }).paths;
};

test("every route is in /openapi.json, with what it does and answers", async () => {
  const paths = await describedPaths();
  const routes = app.routes
    .filter(({ method, path }) => method !== "ALL" && method !== "HEAD" && !path.endsWith("*"))
    .map(({ method, path }) => ({
      method: method.toLowerCase(),
      path: path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}"),
    }));
  expect(routes.length).toBeGreaterThan(20);
  for (const { method, path } of routes) {
    const described = paths[path]?.[method];
    expect(described?.summary, `${method} ${path}`).toBeTruthy();
    expect(Object.keys(described?.responses ?? {}), `${method} ${path}`).not.toEqual([]);
  }
  const count = Object.values(paths).flatMap((methods) => Object.keys(methods)).length;
  expect(count, "nothing is described that is not there").toBe(
    new Set(routes.map(({ method, path }) => `${method} ${path}`)).size,
  );
});

/** A JSON schema, as far as the document uses them. */
interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  enum?: unknown[];
}

/** Where `value` is not what `schema` says, fields included that the schema does not know. */
function strayIn(value: unknown, schema: Schema, all: Record<string, Schema>, at: string): string[] {
  if (schema.$ref) return strayIn(value, all[schema.$ref.split("/").at(-1) ?? ""] ?? {}, all, at);
  const forms = schema.anyOf ?? schema.oneOf;
  if (forms) {
    const strays = forms.map((form) => strayIn(value, form, all, at));
    return strays.find((each) => each.length === 0) ?? strays[0] ?? [];
  }
  if (schema.allOf) {
    const merged = schema.allOf.map((each) => (each.$ref ? all[each.$ref.split("/").at(-1) ?? ""] : each));
    const properties = Object.assign({}, ...merged.map((each) => each?.properties));
    return strayIn(value, { type: "object", properties }, all, at);
  }
  const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  const types = [schema.type ?? type].flat().map((each) => (each === "integer" ? "number" : each));
  if (!types.includes(type)) return [`${at} is ${type}, not ${types.join(" or ")}`];
  if (schema.enum && !schema.enum.includes(value)) return [`${at} is ${String(value)}`];
  if (Array.isArray(value)) {
    return value.flatMap((each, n) => strayIn(each, schema.items ?? {}, all, `${at}[${n}]`));
  }
  if (type !== "object") return [];
  const missing = (schema.required ?? []).filter((name) => !Object.hasOwn(value as object, name));
  const { properties = {}, additionalProperties: more } = schema;
  const rest = typeof more === "object" ? more : undefined;
  return [
    ...missing.map((name) => `${at}.${name} is missing`),
    ...Object.entries(value as object).flatMap(([name, each]) => {
      const known = properties[name] ?? rest;
      return known ? strayIn(each, known, all, `${at}.${name}`) : [`${at}.${name} is not described`];
    }),
  ];
}

test("a field that is not described, one that is missing, and a wrong type are found", () => {
  const schema: Schema = {
    type: "object",
    properties: {
      a: { $ref: "#/components/schemas/A" },
      b: { anyOf: [{ type: "null" }, { type: "integer" }] },
    },
    required: ["a"],
  };
  const all: Record<string, Schema> = { A: { type: "array", items: { type: "string", enum: ["x"] } } };
  expect(strayIn({ a: ["x"], b: null }, schema, all, "it")).toEqual([]);
  expect(strayIn({ a: ["x"], c: 1 }, schema, all, "it")).toEqual(["it.c is not described"]);
  expect(strayIn({ b: 1 }, schema, all, "it")).toEqual(["it.a is missing"]);
  expect(strayIn({ a: ["y", 1], b: "1" }, schema, all, "it")).toHaveLength(3);
});

test("every answer has the fields that its schema says, and no others", async () => {
  const document = (await (await SELF.fetch("https://pagemark/openapi.json")).json()) as {
    paths: Record<
      string,
      Record<string, { responses: Record<string, { content: { "application/json": { schema: Schema } } }> }>
    >;
    components: { schemas: Record<string, Schema> };
  };
  const BASE = "/client/v4/accounts/{account_id}/d1";
  let checked = 0;
  const ask = async (method: string, path: string, body?: object, named = path) => {
    const answer = await SELF.fetch(`https://pagemark${BASE.replace("{account_id}", "acct")}${path}`, {
      method,
      headers: { authorization: "Bearer all", "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    const said = (await answer.json()) as { result: Result };
    const described = document.paths[`${BASE}${named}`]?.[method.toLowerCase()]?.responses[answer.status];
    const schema = described?.content["application/json"].schema;
    expect(schema, `${method} ${named} ${answer.status}`).toBeDefined();
    expect(strayIn(said, schema ?? {}, document.components.schemas, named)).toEqual([]);
    checked++;
    return said.result;
  };
  // biome-ignore lint/suspicious/noExplicitAny: what the API answers is what is tested
  type Result = any;

  const { uuid } = await ask("POST", "/database", { name: "described" });
  const of = (method: string, rest = "", body?: object, named = rest) =>
    ask(method, `/database/${uuid}${rest}`, body, `/database/{database_id}${named.replace(/\?.*/, "")}`);
  await of("GET");
  await of("PATCH", "", {});
  const sql = "CREATE TABLE t (a); INSERT INTO t VALUES (1), (x'0102'), (9007199254740993), (NULL), ('x')";
  await of("POST", "/query", { sql: `${sql}; SELECT * FROM t; PRAGMA foreign_keys = OFF` });
  await of("POST", "/raw", { sql: "SELECT * FROM t" });
  const { id } = await of("POST", "/backup");
  await ask("GET", "/database");
  await of("GET", "/backup");
  await of("POST", "/query", { sql: "DELETE FROM t" });
  const backup = (rest: string) => [`/backup/${id}${rest}`, undefined, `/backup/{backup_id}${rest}`] as const;
  await of("GET", ...backup("/preview"));
  await of("POST", ...backup("/restore"));
  const into = await of(
    "POST",
    `/backup/${id}/restore?to=described%20too`,
    undefined,
    "/backup/{backup_id}/restore",
  );
  const { bookmark } = await of("GET", "/time_travel/bookmark");
  await of("POST", `/time_travel/restore?bookmark=${bookmark}`);
  for (const format of [
    { output_format: "polling" },
    { outputFormat: "polling" },
    { outputFormat: "file" },
  ]) {
    let told = await of("POST", "/export", format);
    while (told.status === "active") {
      told = await of("POST", "/export", { ...format, current_bookmark: told.at_bookmark });
    }
  }
  await of("POST", "/export", { output_format: "polling", dump_options: { tables: ["none"] } });
  await of("POST", "/export", { output_format: "polling", current_bookmark: "x" });
  const { upload_url, filename } = await of("POST", "/import", { action: "init" });
  await SELF.fetch(upload_url, { method: "PUT", body: "INSERT INTO t VALUES (2);" });
  let told = await of("POST", "/import", { action: "ingest", filename });
  while (told.status === "active") {
    told = await of("POST", "/import", { action: "poll", current_bookmark: told.at_bookmark });
  }
  await of("GET", "/jobs");
  await of("DELETE", ...backup(""));
  await of("DELETE");
  await ask("GET", "/backups?orphaned", undefined, "/backups");
  await ask("DELETE", `/database/${into.database_id}`, undefined, "/database/{database_id}");
  expect(checked).toBeGreaterThan(25);
}, 60_000);

test("HEAD answers as GET does, without a body", async () => {
  const headers = { authorization: "Bearer all" };
  for (const path of ["/", "/healthz", "/openapi.json", "/client/v4/accounts/acct/d1/database"]) {
    const [head, get] = await Promise.all(
      ["HEAD", "GET"].map((method) => SELF.fetch(`https://pagemark${path}`, { method, headers })),
    );
    expect(head?.status, path).toBe(get?.status);
    expect(head?.headers.get("content-type"), path).toBe(get?.headers.get("content-type"));
    expect(await head?.text(), path).toBe("");
    await get?.body?.cancel();
  }
});

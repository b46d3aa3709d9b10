// Databases in the local state of a project that wrangler runs: its D1 databases and its Durable Objects, by the names
// that the project gives them.
import { createHash, createHmac } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type ParseError, parse as parseJsonc, printParseErrorCode } from "jsonc-parser";
import { parse as parseToml } from "smol-toml";
import { dumpChunks } from "../dump/dump.ts";
import { PagemarkError, SourceError } from "../errors/index.ts";
import { file } from "../sources/file/file.ts";

export interface LocalDatabase {
  /** D1's name for it, or its binding's; a Durable Object's binding, and its name or the beginning of its id. */
  name: string;
  path: string;
}

interface D1Binding {
  binding?: string;
  database_name?: string;
  database_id?: string;
  preview_database_id?: string;
}

interface Config {
  name?: string;
  d1_databases?: D1Binding[];
  durable_objects?: { bindings?: { name?: string; class_name?: string; script_name?: string }[] };
  env?: Record<string, Config>;
}

const STATE = ".wrangler";
/** As wrangler looks for them. */
const CONFIGS = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];
const D1 = "state/v3/d1/miniflare-D1DatabaseObject";
const OBJECTS = "state/v3/do";
const DATABASE = /^([0-9a-f]{64})\.sqlite$/;
/** Where local Durable Objects keep the name that they were made by. */
const NAMED = "__miniflare_do_name";
/** Digits of an id that stand for an object without a name. */
const DIGITS = 16;

/**
 * Checks that a folder is that of a project which wrangler runs, or the one in which it keeps its local state.
 *
 * @throws SourceError `SOURCE_NOT_A_FILE`
 */
export function checkProject(folder: string): void {
  const isState = basename(resolve(folder)) === STATE;
  if (isState || [STATE, ...CONFIGS].some((name) => existsSync(join(folder, name)))) return;
  const message = `${folder}: a folder without ${CONFIGS.join(", ")} and ${STATE}; give the database file, or the folder of a project that wrangler runs`;
  throw new SourceError("SOURCE_NOT_A_FILE", message, { name: folder });
}

/** Every database in a project's local state. @throws PagemarkError `PROJECT_INVALID`, `PROJECT_EMPTY` */
export async function localDatabases(path: string): Promise<LocalDatabase[]> {
  const { configs, state } = openProject(path);
  const known = new Map(
    configs
      .flatMap(({ d1_databases: all = [] }) => all)
      .map((each) => [objectId("miniflare-D1DatabaseObject", localId(each)), nameOf(each)]),
  );
  const found = databasesIn(join(state, D1)).map(({ id, path }) => ({
    name: known.get(id) ?? `d1-${id.slice(0, DIGITS)}`,
    path,
  }));
  const folder = join(state, OBJECTS);
  for (const namespace of existsSync(folder) ? readdirSync(folder).sort() : []) {
    const called = bindingOf(configs, namespace);
    for (const { id, path } of databasesIn(join(folder, namespace))) {
      found.push({ name: `${called}-${(await nameInside(path)) ?? id.slice(0, DIGITS)}`, path });
    }
  }
  if (found.length > 0) return withoutDoubles(found);
  const message = `${path}: there is no local database yet; \`wrangler dev\` or \`wrangler d1 execute --local\` makes one`;
  throw new PagemarkError("PROJECT_EMPTY", message, { name: path });
}

/** Where the local D1 database of a name, or of a binding, is: in the project of this folder. */
export function localD1(name: string, folder = "."): string {
  const { configs, state, config } = openProject(folder);
  const all = configs.flatMap(({ d1_databases: some = [] }) => some);
  const found = all.find((each) => nameOf(each) === name) ?? all.find(({ binding }) => binding === name);
  if (found) return join(state, D1, `${objectId("miniflare-D1DatabaseObject", localId(found))}.sqlite`);
  const names = all.map((each) => JSON.stringify(nameOf(each))).join(", ");
  const there = config
    ? `${basename(config)} has ${names || "none"}`
    : "there is no wrangler.toml or wrangler.jsonc";
  throw new PagemarkError(
    "PROJECT_INVALID",
    `${name}: no D1 database of the project is called that; ${there}`,
    { name },
  );
}

function openProject(path: string): { configs: Config[]; config: string | undefined; state: string } {
  const whole = resolve(path);
  const folder = basename(whole) === STATE ? dirname(whole) : whole;
  const config = CONFIGS.map((name) => join(folder, name)).find((name) => existsSync(name));
  const read = config === undefined ? {} : readConfig(config);
  // What an environment does not say, it has not: bindings are not inherited.
  const configs = [
    read,
    ...Object.entries(read.env ?? {}).map(([name, each]) => ({ name: `${read.name}-${name}`, ...each })),
  ];
  return { configs, config, state: join(folder, STATE) };
}

function readConfig(path: string): Config {
  const text = readFileSync(path, "utf8");
  const invalid = (why: string, cause?: unknown) =>
    new PagemarkError("PROJECT_INVALID", `${path}: ${why}`, { name: path }, { cause });
  if (path.endsWith(".toml")) {
    try {
      return parseToml(text) as Config;
    } catch (error) {
      throw invalid((error as Error).message.split("\n", 1)[0] ?? "", error);
    }
  }
  const errors: ParseError[] = [];
  const value: unknown = parseJsonc(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first) {
    const line = text.slice(0, first.offset).split("\n").length;
    throw invalid(`line ${line} is no JSON: ${printParseErrorCode(first.error)}`);
  }
  return typeof value === "object" && value !== null ? value : {};
}

function databasesIn(folder: string): { id: string; path: string }[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).sort();
  return names.flatMap((name) => {
    const id = DATABASE.exec(name)?.[1];
    return id === undefined ? [] : [{ id, path: join(folder, name) }];
  });
}

function nameOf({ database_name, binding }: D1Binding): string {
  return database_name ?? binding ?? "d1";
}

/** What wrangler takes for the database's id on one's own machine. */
function localId({ preview_database_id, database_id, binding }: D1Binding): string {
  return preview_database_id ?? database_id ?? binding ?? "";
}

/** The binding of a namespace, whose folder is called by the Worker and the class; the class, if none is known. */
function bindingOf(configs: readonly Config[], folder: string): string {
  for (const { name = "worker", durable_objects: { bindings = [] } = {} } of configs) {
    const found = bindings.find((each) => `${each.script_name ?? name}-${each.class_name}` === folder);
    if (found?.name) return found.name;
  }
  return folder;
}

/** As workerd makes the id of an object out of its name. */
function objectId(namespace: string, name: string): string {
  const key = createHash("sha256").update(namespace).digest();
  const half = (data: string | Buffer) => createHmac("sha256", key).update(data).digest().subarray(0, 16);
  const first = half(name);
  return Buffer.concat([first, half(first)]).toString("hex");
}

/** The name that a Durable Object was made by; some are made by none. */
async function nameInside(path: string): Promise<string | undefined> {
  try {
    const moment = await file(path).pin();
    const options = { tables: [NAMED], noSchema: true };
    let sql = "";
    for await (const chunk of await dumpChunks(moment, path, options)) sql += new TextDecoder().decode(chunk);
    const [, name] = /\(\d+,'((?:[^']|'')*)'\)/.exec(sql) ?? [];
    return name?.replaceAll("''", "'");
  } catch (error) {
    if (error instanceof PagemarkError) return undefined;
    throw error;
  }
}

/** Two of one name are told apart by numbers. */
function withoutDoubles(all: LocalDatabase[]): LocalDatabase[] {
  const seen = new Map<string, number>();
  return all.map(({ name, path }) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return { name: count === 1 ? name : `${name}-${count}`, path };
  });
}

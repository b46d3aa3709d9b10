// The configuration of `pagemark run` and `status`: which databases are backed up when. docs/configuration.md tells of it.
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { parse as parseToml, TomlError } from "smol-toml";
import type { PruneOptions } from "../backups/prune.ts";
import { PagemarkError } from "../errors/index.ts";
import { type FullOn, type Plan, weekdayOf } from "../vault/agenda.ts";
import { checkNames, databaseFiles } from "./files.ts";
import { note } from "./output.ts";
import { nameOf, placesIn } from "./places.ts";
import { duration } from "./values.ts";

/** What the file is called unless the user says. */
export const CONFIG = "pagemark.toml";

/** A database, and when and how it is backed up. */
export interface Planned extends Plan {
  path: string;
  store: string;
  keep: PruneOptions | undefined;
  execBefore: string | undefined;
  execAfter: string | undefined;
  heartbeat: string | undefined;
  /** Whether every state between its backups is stored, too. */
  revisionHistory?: boolean;
}

/** A setting: what it is, for editors and for docs. */
interface Field {
  type: "string" | "integer";
  description: string;
  default?: string | number;
}

const SETTINGS: Record<string, Field> = {
  store: {
    type: "string",
    description:
      "where backups go: a folder, or a URL such as s3://bucket/prefix; several, each with its locality, in one text",
  },
  schedule: {
    type: "string",
    description: "@hourly, @daily, @weekly, @monthly, or cron: minute hour day month weekday",
    default: "@hourly",
  },
  timezone: {
    type: "string",
    description: "of the schedule, such as Europe/Berlin (default: this machine's)",
  },
  full: {
    type: "string",
    description: "auto: when needed; always; or a weekday, incremental otherwise",
    default: "auto",
  },
  "max-age": {
    type: "string",
    description:
      "status fails for a backup that is older, such as 26h (default: two periods of the schedule)",
  },
  "exec-before": {
    type: "string",
    description: "a command to run before each backup, which is left out when it fails",
  },
  "exec-after": {
    type: "string",
    description: "a command to run after each backup, with PAGEMARK_NAME and PAGEMARK_STATUS (done, failed)",
  },
  heartbeat: { type: "string", description: "a URL to fetch after each backup that was made" },
};

const KEEP: Record<string, Field> = {
  last: { type: "integer", description: "keep so many of the newest" },
  hourly: { type: "integer", description: "keep the newest of each of the last n hours" },
  daily: { type: "integer", description: "of each of the last n days" },
  weekly: { type: "integer", description: "of each of the last n weeks" },
  monthly: { type: "integer", description: "of each of the last n months" },
  yearly: { type: "integer", description: "of each of the last n years" },
  within: { type: "string", description: "keep all that are not older, such as 30d" },
};

const DATABASE: Record<string, Field> = {
  file: { type: "string", description: "the database, or a pattern such as data/*.db" },
  name: {
    type: "string",
    description: "its name in the store (default: the file's name without its ending)",
  },
};

type Table = Record<string, unknown>;

/** The databases of a configuration; patterns are looked up. Paths are taken from the file's folder. */
export async function readConfig(
  path: string,
  onNone = (pattern: string) => noteOnce(`no file fits ${pattern} yet`),
): Promise<Planned[]> {
  const config = parse(path);
  const reader = new Reader(path);
  reader.check("", config, { ...SETTINGS }, ["keep", "databases"]);
  const databases = config.databases;
  if (!Array.isArray(databases) || databases.length === 0) {
    throw reader.wrong("databases", 'must list at least one database: [[databases]], and file = "app.db"');
  }
  const folder = dirname(resolve(path));
  const planned: Planned[] = [];
  for (const [at, database] of databases.entries()) {
    const place = `databases[${at}]`;
    reader.check(place, database, { ...SETTINGS, ...DATABASE }, ["keep"]);
    const own = { ...config, ...(database as Table) };
    /** Where a setting stands: what holds for all is wrong there. */
    const placeOf = (key: string) =>
      key in (database as Table) || !(key in config) ? `${place}.${key}` : key;
    const pattern = reader.text(own, "file");
    if (pattern === undefined) throw reader.wrong(`${place}.file`, "is missing: the database's path");
    const files = await databaseFiles([resolve(folder, pattern)]);
    if (files.length === 0) onNone(pattern);
    const name = reader.text(own, "name");
    if (name !== undefined && files.length > 1) throw reader.wrong(`${place}.name`, "is for a single file");
    for (const file of files)
      planned.push({ ...reader.settings(placeOf, own, folder), path: file, name: name ?? nameOf(file) });
  }
  checkNames(planned, "give each a name of its own, or another store");
  return planned;
}

const noted = new Set<string>();

/** The file is read again and again. */
function noteOnce(text: string): void {
  if (!noted.has(text)) note(text);
  noted.add(text);
}

/** A JSON schema of the file, by which editors check and complete it. */
export function configSchema(): unknown {
  const object = (fields: Record<string, Field>, more: object = {}) => {
    return { type: "object", additionalProperties: false, properties: { ...fields, ...more } };
  };
  const keep = object(KEEP);
  const items = { ...object({ ...DATABASE, ...SETTINGS }, { keep }), required: ["file"] };
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "pagemark.toml",
    ...object(SETTINGS, {
      keep,
      databases: { type: "array", minItems: 1, items },
      $schema: { type: "string" },
    }),
    required: ["databases"],
  };
}

function parse(path: string): Table {
  if (!existsSync(path)) {
    throw new PagemarkError("USAGE", `${path}: there is no such file; --config names another`, {
      name: path,
    });
  }
  const text = readFileSync(path, "utf8");
  try {
    const value: unknown = path.endsWith(".json") ? JSON.parse(text) : parseToml(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Table;
    throw new SyntaxError("it must be an object");
  } catch (error) {
    const line = error instanceof TomlError ? ` (line ${error.line})` : "";
    const [message] = (error as Error).message.split("\n");
    throw new PagemarkError("USAGE", `${path}${line}: ${message}`, { name: path });
  }
}

class Reader {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  wrong(place: string, what: string): PagemarkError {
    return new PagemarkError("USAGE", `${basename(this.#path)}: ${place} ${what}`, { name: this.#path });
  }

  check(place: string, table: unknown, fields: Record<string, Field>, more: string[]): void {
    if (typeof table !== "object" || table === null || Array.isArray(table))
      throw this.wrong(place, "must be a table");
    for (const [key, value] of Object.entries(table)) {
      const name = place === "" ? key : `${place}.${key}`;
      const field = fields[key];
      if (more.includes(key) || key === "$schema") continue;
      if (!field)
        throw this.wrong(name, `is no setting; there are ${[...Object.keys(fields), ...more].join(", ")}`);
      const fits =
        field.type === "integer" ? Number.isInteger(value) && Number(value) >= 0 : typeof value === "string";
      if (!fits) throw this.wrong(name, field.type === "integer" ? "must be a whole number" : "must be text");
    }
  }

  text(table: Table, key: string): string | undefined {
    const value = table[key];
    return typeof value === "string" && value !== "" ? value : undefined;
  }

  settings(placeOf: (key: string) => string, own: Table, folder: string): Omit<Planned, "name" | "path"> {
    const text = (key: string) => this.text(own, key);
    const store = text("store") ?? (process.env.PAGEMARK_TO || undefined);
    if (store === undefined) throw this.wrong(placeOf("store"), "is missing: where backups go");
    const maxAge = text("max-age");
    return {
      store: placesIn(store)
        .map((each) => (/^[a-z][a-z0-9+.-]+:/i.test(each) ? each : resolve(folder, each)))
        .join("\n"),
      schedule: text("schedule") ?? "@hourly",
      timezone: text("timezone"),
      full: this.#full(placeOf("full"), text("full") ?? "auto"),
      maxAgeMs: maxAge === undefined ? undefined : this.#age(placeOf("max-age"), maxAge),
      keep: this.#keep(placeOf("keep"), own.keep),
      execBefore: text("exec-before"),
      execAfter: text("exec-after"),
      heartbeat: text("heartbeat"),
    };
  }

  #full(place: string, text: string): FullOn {
    const word = text.toLowerCase();
    if (word === "auto" || word === "always") return word;
    const day = weekdayOf(text);
    if (day !== undefined) return day;
    throw this.wrong(place, `must be auto, always or a weekday in English, not ${JSON.stringify(text)}`);
  }

  #keep(place: string, keep: unknown): PruneOptions | undefined {
    if (keep === undefined) return undefined;
    this.check(place, keep, KEEP, []);
    const { within, ...counts } = keep as Record<string, number> & { within?: string };
    const named = Object.entries(counts).map(([key, value]) => [
      `keep${key.charAt(0).toUpperCase()}${key.slice(1)}`,
      value,
    ]);
    const age = within !== undefined && { keepWithinMs: this.#age(`${place}.within`, within) };
    return { keepManual: true, ...Object.fromEntries(named), ...age };
  }

  #age(place: string, text: string): number {
    try {
      return duration(text);
    } catch {
      throw this.wrong(place, `must be a number and a unit, such as 36h or 30d, not ${JSON.stringify(text)}`);
    }
  }
}

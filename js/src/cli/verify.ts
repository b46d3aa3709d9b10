import { type Command, InvalidArgumentError } from "commander";
import type { Backups } from "../backups/backups.ts";
import type { Sample } from "../backups/verify.ts";
import type { LiveDatabase } from "../engine/database.ts";
import type { Check } from "../engine/results.ts";
import type { SqlValue } from "../engine/values.ts";
import type { JobOptions } from "../streams/progress.ts";
import { checkExit, checkJson, checkText } from "./check-result.ts";
import { withDatabase } from "./engine.ts";
import { blocking } from "./interrupt.ts";
import { bytes, EXIT, note, print, table, withBar } from "./output.ts";
import { openBackups, withBackups } from "./places.ts";
import { momentText } from "./values.ts";

interface Options {
  from: string;
  at?: string;
  restore?: boolean;
  query?: string[];
  sample?: Sample;
  json?: boolean;
}

export function addVerify(program: Command, signal: AbortSignal): void {
  program
    .command("verify")
    .description(
      "read every stored object and compare it with its digest; assemble the newest backup as a restore would",
    )
    .argument("<name>", "the database")
    .requiredOption("--from <store>", "where its backups are: a folder or a URL")
    .option("--at <moment>", "verify one backup only: its id, a bookmark, a TXID or a time")
    .option(
      "--restore",
      "also open the backup in SQLite and check it there: pages, indexes, foreign keys, and every table's fingerprints",
    )
    .option(
      "--sample <part>",
      "read a part of the objects only: 5% at random, or n/t, the nth of t parts; that all are there is checked",
      sampleText,
    )
    .option("--query <sql...>", "run queries on it and print their rows; implies --restore")
    .action(async (name: string, _options, command: Command) => {
      const {
        from,
        restore,
        query = [],
        sample,
        json = false,
        ...options
      } = command.optsWithGlobals<Options>();
      const at = momentText(options.at);
      const backups = await openBackups(name, from);
      const result = await withBackups(name, from, () =>
        withBar(`verifying ${name}`, json, (onProgress) =>
          backups.verify({ signal, onProgress, sample, ...(at !== undefined && { at }) }),
        ),
      );
      const isSound = result.problems.length === 0;
      const restored =
        isSound && (restore || query.length > 0)
          ? await withBar(`restoring ${name}`, json, (onProgress) =>
              tryRestore(backups, result.sound.at(-1)?.bookmark ?? at, query, { signal, onProgress }),
            )
          : undefined;
      const sound = result.sound.map(({ id }) => id);
      if (sound.length > 0 && result.bytes > 0)
        await noteDown(backups, sound, sample ? "sampled" : "verified");
      const { problems } = result;
      print(
        json,
        {
          sound,
          problems,
          bytes: result.bytes,
          sampled: sample !== undefined,
          ...(restored && { restored: asJson(restored) }),
        },
        () => {
          const read = `${bytes(result.bytes)} read`;
          const count = `${sound.length} ${sound.length === 1 ? "backup" : "backups"} can be restored, ${read}`;
          // What is stored can be whole, and hold a database that was damaged when it was backed up.
          const isWell = !restored || (isRight(restored) && checkExit(restored.check) === 0);
          const rows = problems.map(({ code, name, message }) => [code, name, message]);
          const found = sample
            ? `nothing is wrong in the part that was read: ${read}`
            : `${isWell ? "all is well" : "what is stored is whole"}: ${count}`;
          const stored = isSound ? found : `${count}\n${table(["problem", "object", "what to do"], rows)}`;
          return restored ? `${stored}\n${asText(restored)}` : stored;
        },
      );
      if (!isSound || (restored && !isRight(restored))) process.exitCode = EXIT.failed;
      else if (restored) process.exitCode = checkExit(restored.check);
    });
}

/** A store that may only be read is verified all the same. */
async function noteDown(backups: Backups, ids: string[], how: "sampled" | "verified"): Promise<void> {
  await backups.noteVerified(ids, how).catch((error) => {
    note(`that they were verified could not be noted down in the store: ${(error as Error).message}`);
  });
}

/** Reads `5%` or `3/10`. */
function sampleText(text: string): Sample {
  const [, percent] = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim()) ?? [];
  if (percent !== undefined && Number(percent) > 0 && Number(percent) <= 100)
    return { share: Number(percent) / 100 };
  const [, part = 0, of = 0] = (/^(\d+)\/(\d+)$/.exec(text.trim()) ?? []).map(Number);
  if (part >= 1 && part <= of) return { part, of };
  throw new InvalidArgumentError("it must be a part such as 5%, or n/t such as 3/10");
}

interface Restored {
  check: Check;
  /** Tables and indexes with a page whose fingerprint is not the recorded one; missing when none was recorded. */
  differing?: string[];
  /** The rows of each query. */
  answers: { sql: string; columns: string[]; rows: SqlValue[][] }[];
}

/** Restores a backup into SQLite, checks it there and runs the queries: an untested backup is a hope. */
async function tryRestore(
  backups: Backups,
  at: string | undefined,
  queries: string[],
  options: JobOptions,
): Promise<Restored> {
  const { body } = await backups.download(at, options);
  return withDatabase(body, async (database, file) => {
    const pages = await backups.differences(file, at, options);
    const answers = queries.map((sql) => {
      using statement = database.prepare(sql);
      return { sql: sql.trim(), columns: statement.columns, rows: blocking(() => statement.values()) };
    });
    return {
      check: blocking(() => database.check()),
      ...(pages && { differing: placesOf(database, pages) }),
      answers,
    };
  });
}

function isRight({ check, differing = [] }: Restored): boolean {
  return check.ok && differing.length === 0;
}

/** Names of the tables and indexes that pages belong to; the page's number where SQLite cannot tell. */
export function placesOf(database: LiveDatabase, pages: readonly number[]): string[] {
  if (pages.length === 0) return [];
  const places = new Map<number, string>();
  try {
    using statement = database.prepare(
      "SELECT pageno, name FROM dbstat WHERE pageno IN (SELECT value FROM json_each(?))",
    );
    for (const [page, name] of statement.values(JSON.stringify(pages)))
      places.set(Number(page), String(name));
  } catch {
    // Too damaged to be walked through.
  }
  return [...new Set(pages.map((page) => places.get(page) ?? `page ${page}`))];
}

function asText({ check, differing, answers }: Restored): string {
  const tables = answers.map(
    ({ sql, columns, rows }) =>
      `${sql}\n${table(
        columns,
        rows.map((row) => row.map(cell)),
      )}`,
  );
  const fingerprints =
    differing &&
    (differing.length === 0
      ? "every table has the fingerprints that were recorded when it was backed up"
      : `these differ from what was backed up: ${differing.join(", ")}`);
  const checked = checkText(check);
  const restored = `restored:${checked.includes("\n") ? "\n" : " "}${checked}`;
  return [restored, ...(fingerprints ? [fingerprints] : []), ...tables].join("\n");
}

function cell(value: SqlValue): string {
  if (value === null) return "NULL";
  return value instanceof Uint8Array ? `${value.length} bytes` : String(value);
}

function asJson(restored: Restored) {
  const { check, differing, answers } = restored;
  const plain = (value: SqlValue) => {
    if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString("hex") };
    return typeof value === "bigint" ? String(value) : value;
  };
  const queries = answers.map(({ sql, columns, rows }) => ({
    sql,
    columns,
    rows: rows.map((row) => row.map(plain)),
  }));
  return { ...checkJson(check), ok: isRight(restored), ...(differing && { differing }), queries };
}

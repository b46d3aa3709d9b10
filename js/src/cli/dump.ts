import { type Command, InvalidArgumentError, Option } from "commander";
import { isPageSize } from "../core/index.ts";
import { dumpChunks } from "../dump/dump.ts";
import { DIALECTS, type DumpOptions } from "../dump/options.ts";
import { sqlStream } from "../dump/sql-stream.ts";
import { PagemarkError } from "../errors/index.ts";
import type { Moment } from "../sources/source.ts";
import { bytes, EXIT, print, warn, withBar } from "./output.ts";
import {
  isHosted,
  isLocal,
  localFile,
  nameOf,
  openBackups,
  openDamaged,
  openDatabase,
  withBackups,
} from "./places.ts";
import { STANDARD } from "./standard-output.ts";
import { checkTarget, compressed, writeTarget } from "./target.ts";
import { momentText } from "./values.ts";

interface Options {
  from?: string;
  at?: string;
  output?: string;
  force?: boolean;
  gzip?: boolean;
  dialect: DumpOptions["dialect"];
  table?: string[];
  data: boolean;
  schema: boolean;
  salvage?: boolean;
  viaExport?: boolean;
  drop?: boolean;
  pageSize?: number;
  freePages?: boolean;
  json?: boolean;
}

export function addDump(program: Command, signal: AbortSignal): void {
  program
    .command("dump")
    .description("print a database, or a backup of one, as SQL")
    .argument(
      "<file-or-name>",
      "the database file, - for standard input, d1://<account>/<name>; with --from, the database's name",
    )
    .option("--from <store>", "a store with backups: dumps one of them, without restoring it first")
    .option("--at <moment>", "which backup: an id, a bookmark, a TXID, a time or an age such as -1h")
    .option("-o, --output <file>", "the file, or - for standard output (default: -)")
    .option("--force", "replace the file if it exists")
    .option("--gzip", "compress")
    .addOption(
      new Option("--dialect <name>", "where the SQL is meant to go").choices(DIALECTS).default("sqlite"),
    )
    .option("--table <name...>", "only these tables and views, with their indexes, triggers and sequences")
    .option("--no-data", "no rows")
    .option("--no-schema", "only rows")
    .option("--drop", "first drop what is made, if it exists")
    .option("--via-export", "of d1://…: what D1's own export gives, which blocks queries and is not exact")
    .option("--salvage", "give what is left of a damaged database, and say what was left out")
    .option("--page-size <bytes>", "with --salvage: where the file itself does not show it", pageSize)
    .option("--free-pages", "with --salvage: look for lost rows in free pages, too, which hold deleted ones")
    .action(async (subject: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { from, at, output, force = false, gzip = false, json = false } = options;
      if (at !== undefined && from === undefined)
        throw new PagemarkError("USAGE", "--at means a backup: say where with --from");
      if (!options.salvage && (options.pageSize !== undefined || options.freePages))
        throw new PagemarkError("USAGE", "--page-size and --free-pages are for --salvage");
      if (options.viaExport) checkExport(subject, options);
      const target = output ?? STANDARD;
      const reads =
        from === undefined && !isHosted(subject)
          ? [isLocal(subject) ? await localFile(subject) : subject]
          : [];
      await checkTarget(target, { force, json, reads, from, ...(gzip && { binary: "compressed SQL" }) });
      const warnings: string[] = [];
      const name = from === undefined ? nameOf(subject) : subject;
      const written = await withBar(`dumping ${name}`, json, async (onProgress) => {
        const dumpOptions: DumpOptions = {
          dialect: options.dialect,
          tables: options.table,
          noData: !options.data,
          noSchema: !options.schema,
          drop: options.drop,
          salvage: options.salvage,
          freePages: options.freePages,
          signal,
          // A bar would be in the way of SQL that goes to the same terminal.
          ...(!(target === STANDARD && process.stdout.isTTY) && { onProgress }),
          onWarning: (message) => warnings.push(message),
        };
        if (options.viaExport) {
          const sql = await (await import("./hosted.ts")).exportHosted(subject, dumpOptions);
          return await writeTarget(target, gzip ? compressed(sql) : sql, signal, false);
        }
        const moment = await momentOf(subject, options, signal);
        try {
          const sql = await dumpChunks(moment, name, dumpOptions);
          const body = gzip ? compressed(sqlStream(sql, () => moment.release())) : sql;
          return await writeTarget(target, body, signal, false);
        } finally {
          await moment.release().catch(() => {});
        }
      });
      if (target !== STANDARD)
        print(json, { file: target, size: written, warnings }, () => `wrote ${target} (${bytes(written)})`);
      for (const warning of warnings) warn(warning);
      if (warnings.length > 0) process.exitCode = EXIT.warnings;
    });
}

/** What is dumped: a database as it is now, or a backup of it. */
async function momentOf(
  subject: string,
  { from, at, salvage, pageSize }: Options,
  signal: AbortSignal,
): Promise<Moment> {
  if (from === undefined) {
    const source = salvage ? openDamaged(subject, pageSize) : await openDatabase(subject);
    return source.pin({ signal });
  }
  return withBackups(subject, from, async () =>
    (await openBackups(subject, from)).pages(momentText(at), { signal }),
  );
}

function checkExport(subject: string, { from, dialect, salvage, drop }: Options): void {
  if (!isHosted(subject) || from !== undefined)
    throw new PagemarkError("USAGE", "--via-export is for d1://<account>/<database>");
  if (dialect !== "sqlite" || salvage || drop)
    throw new PagemarkError(
      "USAGE",
      "--via-export gives what D1 writes: leave --dialect, --salvage and --drop out",
    );
}

function pageSize(text: string): number {
  const size = Number(text);
  if (isPageSize(size)) return size;
  throw new InvalidArgumentError("a page has 512, 1024, 2048, 4096, 8192, 16384, 32768 or 65536 bytes");
}

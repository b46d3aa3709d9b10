import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { type Command, Option } from "commander";
import { PagemarkError } from "../errors/index.ts";
import { DIALECTS, type DumpOptions, dumpChunks } from "../jobs/dump.ts";
import { sqlStream } from "../jobs/sql-stream.ts";
import { bytes, EXIT, print, warn } from "./output.ts";
import { nameOf, openBackups, openSource } from "./places.ts";
import { withBar } from "./progress-bar.ts";
import { refuseExisting } from "./target.ts";

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
  json?: boolean;
}

export function addDump(program: Command, signal: AbortSignal): void {
  program
    .command("dump")
    .description("print a database, or a backup of one, as SQL")
    .argument("<file-or-name>", "the database file; with --from, the database's name")
    .option("--from <store>", "a folder with backups: dumps one of them, without restoring it first")
    .option("--at <moment>", "which backup: an id, a bookmark, a TXID, a time or an age such as -1h")
    .option("-o, --output <file>", "the file (default: standard output)")
    .option("--force", "replace the file if it exists")
    .option("--gzip", "compress")
    .addOption(
      new Option("--dialect <name>", "where the SQL is meant to go").choices(DIALECTS).default("sqlite"),
    )
    .option("--table <name...>", "only these tables, with their indexes, triggers and sequences")
    .option("--no-data", "no rows")
    .option("--no-schema", "only rows")
    .option("--salvage", "go on behind damaged pages, and say what was left out")
    .action(async (subject: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { from, at, output, force = false, gzip = false, json = false } = options;
      if (at !== undefined && from === undefined)
        throw new PagemarkError("USAGE", "--at means a backup: say where with --from");
      if (output !== undefined) await refuseExisting(output, force);
      const warnings: string[] = [];
      const name = from === undefined ? nameOf(subject) : subject;
      const written = await withBar(`dumping ${name}`, json, async (onProgress) => {
        const dumpOptions: DumpOptions = {
          dialect: options.dialect,
          tables: options.table,
          noData: !options.data,
          noSchema: !options.schema,
          salvage: options.salvage,
          signal,
          // A bar would be in the way of SQL that goes to the same terminal.
          ...(!(output === undefined && process.stdout.isTTY) && { onProgress }),
          onWarning: (message) => warnings.push(message),
        };
        const moment =
          from === undefined
            ? await openSource(subject).pin({ signal })
            : await (await openBackups(name, from)).pages(at, { signal });
        const sql = await dumpChunks(moment, name, dumpOptions);
        const body = gzip ? sqlStream(sql, () => moment.release()).pipeThrough(compression()) : sql;
        return output === undefined ? writeAll(body, process.stdout) : writeFile(body, output);
      });
      if (output !== undefined) {
        print(json, { file: output, size: written, warnings }, () => `wrote ${output} (${bytes(written)})`);
      }
      for (const warning of warnings) warn(warning);
      if (warnings.length > 0) process.exitCode = EXIT.warnings;
    });
}

function compression() {
  return new CompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>;
}

/** Each chunk has been written when the next is asked for. */
async function writeAll(body: AsyncIterable<Uint8Array>, to: Writable): Promise<number> {
  let written = 0;
  for await (const chunk of body) {
    await new Promise<void>((resolve, reject) => {
      to.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
    written += chunk.length;
  }
  return written;
}

/** Beside its place first: what has its name is whole. */
async function writeFile(body: AsyncIterable<Uint8Array>, path: string): Promise<number> {
  const beside = join(dirname(path), `.${basename(path)}.pagemark-${crypto.randomUUID().slice(0, 8)}`);
  try {
    const file = createWriteStream(beside, { flags: "wx" });
    await once(file, "open");
    await writeAll(body, file);
    await finished(file.end());
    const handle = await open(beside, "r+");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, path);
    return file.bytesWritten;
  } catch (error) {
    await unlink(beside).catch(() => {});
    throw error;
  }
}

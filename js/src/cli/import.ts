import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import type { Command } from "commander";
import { Database } from "../engine/database.ts";
import { momentStream } from "../jobs/moment-stream.ts";
import "./engine.ts";
import { bytes, print } from "./output.ts";
import { refuseExisting, writeDatabase } from "./target.ts";

interface Options {
  output: string;
  force?: boolean;
  json?: boolean;
}

export function addImport(program: Command, signal: AbortSignal): void {
  program
    .command("import")
    .description("make a database file of SQL: what .dump prints, D1's exports, dumps of Pagemark")
    .argument("<file>", "the SQL, or - for standard input; compressed with gzip or not")
    .requiredOption("-o, --output <file>", "the database file")
    .option("--force", "replace the file if it exists")
    .action(async (path: string, _options, command: Command) => {
      const { output, force = false, json = false } = command.optsWithGlobals<Options>();
      await refuseExisting(output, force);
      const input = path === "-" ? process.stdin : createReadStream(path);
      const sql = await plain(Readable.toWeb(input) as ReadableStream<Uint8Array>);
      // What a dump says of foreign keys goes: they were not enforced where it comes from either.
      using database = await Database.open({ foreignKeys: false });
      const { statements } = await database.import(sql, { signal });
      const moment = await database.pin();
      const size = moment.pageCount * moment.pageSize;
      await writeDatabase(output, momentStream(moment, { signal }), signal);
      print(json, { file: output, size, statements }, () => {
        return `wrote ${output} (${bytes(size)}, ${statements.toLocaleString("en")} statements)`;
      });
    });
}

/** The stream, decompressed if it begins as gzip does. */
async function plain(stream: ReadableStream<Uint8Array>): Promise<ReadableStream<Uint8Array>> {
  const reader = stream.getReader();
  const first = await reader.read();
  const whole = new ReadableStream<Uint8Array>({
    start: (controller) => {
      if (first.value) controller.enqueue(first.value);
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  if (first.value?.[0] !== 0x1f || first.value[1] !== 0x8b) return whole;
  return whole.pipeThrough(new DecompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>);
}

import type { Command } from "commander";
import { Database } from "../engine/database.ts";
import { momentStream } from "../jobs/moment-stream.ts";
import "./engine.ts";
import { openInput, plain } from "./input.ts";
import { bytes, print } from "./output.ts";
import { STANDARD } from "./standard-output.ts";
import { checkTarget, writeTarget } from "./target.ts";

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
    .requiredOption("-o, --output <file>", "the database file, or - for standard output")
    .option("--force", "replace the file if it exists")
    .action(async (path: string, _options, command: Command) => {
      const { output, force = false, json = false } = command.optsWithGlobals<Options>();
      await checkTarget(output, { force, json, reads: [path], binary: "a database" });
      const sql = await plain(openInput(path), path);
      // What a dump says of foreign keys goes: they were not enforced where it comes from either.
      using database = await Database.open({ foreignKeys: false });
      const { statements } = await database.import(sql, { signal });
      const moment = await database.pin();
      const size = moment.pageCount * moment.pageSize;
      await writeTarget(output, momentStream(moment, { signal }), signal);
      if (output === STANDARD) return;
      print(json, { file: output, size, statements }, () => {
        return `wrote ${output} (${bytes(size)}, ${statements.toLocaleString("en")} statements)`;
      });
    });
}

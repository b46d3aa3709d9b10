import type { Command } from "commander";
import type { LiveDatabase } from "../engine/database.ts";
import { withNewDatabase } from "./engine.ts";
import { openInput, plain } from "./input.ts";
import { bytes, counted, print } from "./output.ts";
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
    .description("make a database file of SQL: what .dump prints, D1's exports, dumps of Pagemark, scripts")
    .argument("<file>", "the SQL, or - for standard input; compressed with gzip or not")
    .requiredOption("-o, --output <file>", "the database file, or - for standard output")
    .option("--force", "replace the file if it exists")
    .action(async (path: string, _options, command: Command) => {
      const { output, force = false, json = false } = command.optsWithGlobals<Options>();
      await checkTarget(output, { force, json, reads: [path], binary: "a database" });
      const sql = await plain(openInput(path), path);
      let size = 0;
      const { statements } = await withNewDatabase(
        async (database) => {
          const imported = await database.import(sql, { signal });
          // SQL that makes nothing makes a database of nothing, which is more than a file of nothing.
          if (isEmpty(database)) database.exec("PRAGMA user_version = 0");
          return imported;
        },
        async (file, length) => {
          size = length;
          await writeTarget(output, file, signal);
        },
      );
      if (output === STANDARD) return;
      print(json, { file: output, size, statements }, () => {
        return `wrote ${output} (${bytes(size)}, ${counted(statements)} statements)`;
      });
    });
}

function isEmpty(database: LiveDatabase): boolean {
  return database.states().length === 0;
}

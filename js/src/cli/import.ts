import type { Command } from "commander";
import type { LiveDatabase } from "../engine/database.ts";
import { withNewDatabase } from "./engine.ts";
import { openInput, plain } from "./input.ts";
import { bytes, counted, report, warnAll } from "./output.ts";
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
    .description("make a database file from SQL: .dump's output, D1's exports, Pagemark's dumps, scripts")
    .argument("<file>", "the SQL, plain or gzipped, or - for standard input")
    .requiredOption("-o, --output <file>", "the database file, or - for standard output")
    .option("--force", "replace the file if it exists")
    .action(async (path: string, _options, command: Command) => {
      const { output, force = false, json = false } = command.optsWithGlobals<Options>();
      await checkTarget(output, { force, json, reads: [path], binary: "a database" });
      const sql = await plain(openInput(path), path);
      let size = 0;
      const { statements, warnings } = await withNewDatabase(
        async (database) => {
          const imported = await database.import(sql, { signal });
          // SQL that makes no table still makes a database: an empty file would be none.
          if (isEmpty(database)) database.exec("PRAGMA user_version = 0");
          return imported;
        },
        async (file, length) => {
          size = length;
          await writeTarget(output, file, signal);
        },
      );
      if (output === STANDARD) return warnAll(warnings);
      report(json, { file: output, size, statements, warnings }, () => {
        return `wrote ${output} (${bytes(size)}, ${counted(statements)} ${statements === 1 ? "statement" : "statements"})`;
      });
      warnAll(warnings);
    });
}

function isEmpty(database: LiveDatabase): boolean {
  return database.states().length === 0;
}

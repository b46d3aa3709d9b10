import type { Command } from "commander";
import { momentStream } from "../moments/moment-stream.ts";
import { checkExit, checkJson, checkText } from "./check-result.ts";
import { withDatabase } from "./engine.ts";
import { blocking } from "./interrupt.ts";
import { print, withBar } from "./output.ts";
import { openSource } from "./places.ts";

export function addCheck(program: Command, signal: AbortSignal): void {
  program
    .command("check")
    .description(
      "check that every table and index is whole and every foreign key refers to a row, on a copy of the database",
    )
    .argument("<file>", "the database file, or - for standard input")
    .action(async (path: string, _options, command: Command) => {
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
      const check = await withBar(`checking ${path}`, json, async (onProgress) => {
        const moment = await openSource(path).pin({ signal });
        return withDatabase(momentStream(moment, { signal, onProgress }), (database) =>
          blocking(() => database.check()),
        );
      });
      print(json, checkJson(check), () => checkText(check));
      process.exitCode = checkExit(check);
    });
}

import type { Command } from "commander";
import { momentStream } from "../moments/moment-stream.ts";
import { checkExit, checkJson, checkText, withDatabase } from "./engine.ts";
import { blocking } from "./interrupt.ts";
import { print } from "./output.ts";
import { openSource } from "./places.ts";
import { withBar } from "./progress-bar.ts";

export function addCheck(program: Command, signal: AbortSignal): void {
  program
    .command("check")
    .description(
      "look whether each table and index is whole and foreign keys refer to rows, on a copy of one moment of it",
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

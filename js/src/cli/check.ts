import type { Command } from "commander";
import { momentStream } from "../jobs/moment-stream.ts";
import { checkJson, checkText, withDatabase } from "./engine.ts";
import { EXIT, print } from "./output.ts";
import { openSource } from "./places.ts";
import { withBar } from "./progress-bar.ts";

export function addCheck(program: Command, signal: AbortSignal): void {
  program
    .command("check")
    .description(
      "look whether a database is whole and its foreign keys refer to rows, on a copy of one moment of it",
    )
    .argument("<file>", "the database file")
    .action(async (path: string, _options, command: Command) => {
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
      const check = await withBar(`checking ${path}`, json, async (onProgress) => {
        const moment = await openSource(path).pin({ signal });
        return withDatabase(momentStream(moment, { signal, onProgress }), (database) => database.check());
      });
      print(json, checkJson(check), () => checkText(check));
      if (!check.ok) process.exitCode = EXIT.failed;
    });
}

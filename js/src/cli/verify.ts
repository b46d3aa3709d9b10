import type { Command } from "commander";
import { bytes, EXIT, print, table } from "./output.ts";
import { openBackups } from "./places.ts";
import { withBar } from "./progress-bar.ts";

export function addVerify(program: Command, signal: AbortSignal): void {
  program
    .command("verify")
    .description(
      "read every stored object against its digest, and put the newest backup together as a restore would",
    )
    .argument("<name>", "the database")
    .requiredOption("--from <store>", "where its backups are: a folder")
    .option("--at <moment>", "verify one backup alone: its id, a bookmark, a TXID or a time")
    .action(async (name: string, _options, command: Command) => {
      const {
        from,
        at,
        json = false,
      } = command.optsWithGlobals<{ from: string; at?: string; json?: boolean }>();
      const backups = await openBackups(name, from);
      const result = await withBar(`verifying ${name}`, json, (onProgress) =>
        backups.verify({ signal, onProgress, ...(at !== undefined && { at }) }),
      );
      const sound = result.sound.map(({ id }) => id);
      print(json, { sound, problems: result.problems, bytes: result.bytes }, () => {
        const read = `${bytes(result.bytes)} read`;
        if (result.problems.length === 0)
          return `all is well: ${sound.length} backups can be restored, ${read}`;
        const rows = result.problems.map(({ code, name, message }) => [code, name, message]);
        return `${sound.length} backups can be restored, ${read}\n${table(["problem", "object", "what to do"], rows)}`;
      });
      if (result.problems.length > 0) process.exitCode = EXIT.failed;
    });
}

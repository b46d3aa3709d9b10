import type { Command } from "commander";
import { type Copied, copy } from "../backups/copy.ts";
import { bytes, counted, report, table, withBar } from "./output.ts";
import { openStore, redacted, refuseMissing, withBackups } from "./places.ts";

interface Options {
  from: string;
  to: string;
  json?: boolean;
}

export function addCopy(program: Command, signal: AbortSignal): void {
  program
    .command("copy")
    .description(
      "copy backups to another store; what is there already is left as it is, so it can go on at any time",
    )
    .argument("[name]", "the database (default: all of the store)")
    .requiredOption("--from <store>", "where the backups are: a folder or a URL")
    .requiredOption("--to <store>", "where they go: a folder or a URL")
    .action(async (name: string | undefined, _options, command: Command) => {
      const { from, to, json = false } = command.optsWithGlobals<Options>();
      await refuseMissing(from);
      const run = () =>
        withBar(`copying ${name ?? "backups"}`, json, (onProgress) =>
          copy(openStore(from), openStore(to, { fromLocality: undefined }), { name, signal, onProgress }),
        );
      const copied = name === undefined ? await run() : await withBackups(name, from, run);
      report(json, copied, () => text(copied, from, to));
    });
}

function text(copied: Copied[], from: string, to: string): string {
  if (copied.length === 0) return `${redacted(from)} has no backups`;
  const rows = copied.map((each) => [
    each.name,
    counted(each.backups),
    counted(each.objects),
    bytes(each.bytes),
    counted(each.present),
  ]);
  const right = Array.from({ length: 4 }, () => "right" as const);
  return [
    table(["name", "backups", "objects", "copied", "present"], rows, ["left", ...right]),
    `copied to ${redacted(to)}`,
  ].join("\n");
}

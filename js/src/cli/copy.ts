import type { Command } from "commander";
import { type Copied, copy } from "../backups/copy.ts";
import { removeTemporaryFolder, temporaryFolder } from "../node/temporary-file.ts";
import { isArchive, packed } from "../places/archive.node.ts";
import { bytes, counted, report, table, withBar } from "./output.ts";
import { folderPath, openStore, redacted, refuseMissing, withBackups } from "./places.ts";
import { checkTarget, writeTarget } from "./target.ts";

interface Options {
  from: string;
  to: string;
  force?: boolean;
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
    .requiredOption("--to <store>", "where they go: a folder, a URL, or a new archive, x.tar.gz")
    .option("--force", "replace the archive if it exists")
    .action(async (name: string | undefined, _options, command: Command) => {
      const { from, to, force = false, json = false } = command.optsWithGlobals<Options>();
      await refuseMissing(from);
      const file = folderPath(to);
      const isFile = file !== undefined && isArchive(file);
      if (isFile) await checkTarget(file, { force, json, reads: [from] });
      const run = () =>
        withBar(`copying ${name ?? "backups"}`, json, async (onProgress) => {
          const options = { name, signal, onProgress };
          if (!isFile) return copy(openStore(from), openStore(to, { fromLocality: undefined }), options);
          const folder = await temporaryFolder();
          try {
            const copied = await copy(
              openStore(from),
              openStore(folder, { fromLocality: undefined }),
              options,
            );
            if (copied.length > 0) await writeTarget(file, await packed(folder), signal, false);
            return copied;
          } finally {
            await removeTemporaryFolder(folder);
          }
        });
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

import type { Command } from "commander";
import { momentStream } from "../jobs/moment-stream.ts";
import { withDatabase } from "./engine.ts";
import { bytes, print } from "./output.ts";
import { openSource } from "./places.ts";
import { withBar } from "./progress-bar.ts";
import { refuseExisting, writeDatabase } from "./target.ts";

interface Options {
  output: string;
  force?: boolean;
  json?: boolean;
}

export function addCompact(program: Command, signal: AbortSignal): void {
  program
    .command("compact")
    .description("write a copy of a database without free space (VACUUM INTO)")
    .argument("<file>", "the database file")
    .requiredOption("-o, --output <file>", "the copy")
    .option("--force", "replace the file if it exists")
    .action(async (path: string, _options, command: Command) => {
      const { output, force = false, json = false } = command.optsWithGlobals<Options>();
      await refuseExisting(output, force);
      const { before, after } = await withBar(`compacting ${path}`, json, async (onProgress) => {
        const moment = await openSource(path).pin({ signal });
        const before = moment.pageCount * moment.pageSize;
        return withDatabase(momentStream(moment, { signal, onProgress }), async (database) => {
          let after = 0;
          const count = new TransformStream<Uint8Array, Uint8Array>({
            transform(chunk, controller) {
              after += chunk.length;
              controller.enqueue(chunk);
            },
          });
          await writeDatabase(output, database.compact().pipeThrough(count), signal);
          return { before, after };
        });
      });
      print(json, { file: output, size_before: before, size: after }, () => {
        return `wrote ${output} (${bytes(after)}, from ${bytes(before)})`;
      });
    });
}

import type { Command } from "commander";
import type { LiveDatabase } from "../engine/database.ts";
import type { FilePages } from "../engine/file-pages.node.ts";
import { SqlError } from "../errors/index.ts";
import { momentStream } from "../moments/moment-stream.ts";
import { withDatabase } from "./engine.ts";
import { blocking } from "./interrupt.ts";
import { bytes, report, withBar } from "./output.ts";
import { openSource } from "./places.ts";
import { STANDARD } from "./standard-output.ts";
import { checkTarget, writeTarget } from "./target.ts";

interface Options {
  output: string;
  force?: boolean;
  json?: boolean;
}

export function addCompact(program: Command, signal: AbortSignal): void {
  program
    .command("compact")
    .description("write a copy of a database without free space (VACUUM INTO)")
    .argument("<file>", "the database file, or - for standard input")
    .requiredOption("-o, --output <file>", "the copy, or - for standard output")
    .option("--force", "replace the file if it exists")
    .action(async (path: string, _options, command: Command) => {
      const { output, force = false, json = false } = command.optsWithGlobals<Options>();
      await checkTarget(output, { force, json, reads: [path], binary: "a database" });
      const { before, after, lacks } = await withBar(`compacting ${path}`, json, async (onProgress) => {
        const moment = await openSource(path).pin({ signal });
        const before = moment.pageCount * moment.pageSize;
        return withDatabase(momentStream(moment, { signal, onProgress }), async (database, file) => {
          const { body, lacks } = blocking(() => compactOrCopy(database, file));
          let after = 0;
          const count = new TransformStream<Uint8Array, Uint8Array>({
            transform(chunk, controller) {
              after += chunk.length;
              controller.enqueue(chunk);
            },
          });
          await writeTarget(output, body.pipeThrough(count), signal);
          return { before, after, lacks };
        });
      });
      if (output === STANDARD) return;
      report(json, { file: output, size_before: before, size: after, is_copy: lacks !== undefined }, () => {
        if (lacks === undefined) return `wrote ${output} (${bytes(after)}, from ${bytes(before)})`;
        return `wrote ${output} (${bytes(after)}) page by page, free space included: SQLite cannot rebuild it here (${lacks})`;
      });
    });
}

/** The compacted database; its pages as they are where SQLite lacks what it needs to sort the rows, such as a collation. */
function compactOrCopy(database: LiveDatabase, file: FilePages["raw"]) {
  try {
    return { body: database.compact(), lacks: undefined };
  } catch (error) {
    // SQLITE_ERROR: the schema names something that is not here. Damage and a full disk have codes of their own.
    if (!(error instanceof SqlError) || ((error.sqlite ?? 0) & 0xff) !== 1) throw error;
    const moment = { ...file, taken: "start", release: async () => {} } as const;
    return { body: momentStream(moment), lacks: error.message };
  }
}

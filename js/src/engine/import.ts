// SQL from outside, run in one commit.
import type { EngineCore } from "../core/index.ts";
import { withD1Repairs } from "../dump/d1-repairs.ts";
import type { Handle } from "./handle.ts";
import { chunksOf, SQL, type Text } from "./input.ts";
import type { Imported } from "./results.ts";
import { smallest } from "./values.ts";

export interface ImportOptions {
  signal?: AbortSignal | undefined;
  /** How many steps 64 KiB of it may take, as of `limited`; 0 is no limit. */
  steps?: number | undefined;
  /** Called when it is committed, before anybody else sees that. */
  onEnd?: (() => void) | undefined;
}

/** See `LiveDatabase.import`. */
export async function importSql(
  core: EngineCore,
  handle: Handle,
  sql: Text,
  { signal, steps = 0, onEnd }: ImportOptions,
): Promise<Imported> {
  const warnings: string[] = [];
  const chunks = withD1Repairs(chunksOf(sql, SQL), (message) => void warnings.push(message));
  // Nothing may be under way.
  void handle.idle;
  const importing = new core.Import(steps);
  handle.isImporting = true;
  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      handle.engine.importFeed(importing, chunk, Date.now());
    }
    signal?.throwIfAborted();
  } catch (error) {
    if (handle.isClosed) importing.free();
    else handle.engine.importAbort(importing);
    throw error;
  } finally {
    handle.isImporting = false;
  }
  const imported = handle.engine.importEnd(importing, Date.now());
  const { statements, changes, lastInsertRowid } = imported;
  imported.free();
  onEnd?.();
  return { statements, changes, lastInsertRowid: smallest(lastInsertRowid), warnings };
}

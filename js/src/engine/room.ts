// Parameters are written into a buffer in the engine's own memory: to allocate memory there and copy them would take longer
// than to write a few values.
import type { EngineDatabase } from "../core/index.ts";
import { encodeValues, type SqlParameter, ValueWriter } from "./values.ts";

/** A view of that buffer; its length is 0 once the engine's memory has grown. */
let room: Uint8Array = new Uint8Array(0);
/** Writes to the buffer; `undefined` while a run is under way, which may start others: a store may run statements, too. */
let free: ValueWriter | undefined = new ValueWriter(room);

/**
 * Runs a statement to its end. Returns how many rows it changed.
 *
 * @throws what the engine throws; PagemarkError `USAGE` for a value that SQLite has no type for
 */
export function run(database: EngineDatabase, id: number, values: readonly SqlParameter[]): number {
  const changes = free
    ? runFromRoom(free, database, id, values)
    : runWith(database, id, encodeValues(values));
  if (changes < 0) database.failure();
  return changes;
}

function runFromRoom(
  last: ValueWriter,
  database: EngineDatabase,
  id: number,
  values: readonly SqlParameter[],
): number {
  free = undefined;
  let writer = last;
  try {
    if (room.length === 0 || !writer.isIn(room)) {
      room = database.room();
      writer = new ValueWriter(room);
    }
    writer.clear();
    for (const value of values) writer.add(value);
    if (!writer.isIn(room)) return runWith(database, id, writer.bytes());
    // A getter of the caller may have made the memory grow: then what was written is lost.
    if (room.length === 0) return runWith(database, id, encodeValues(values));
    return database.runFromRoom(id, writer.length, Date.now());
  } finally {
    free = writer;
  }
}

function runWith(database: EngineDatabase, id: number, values: Uint8Array): number {
  return database.run(id, values, Date.now());
}

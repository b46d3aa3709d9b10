import type * as Package from "pagemark";
import type * as Engine from "pagemark/engine";

export interface EngineTrip {
  /** Rows before a delete, after it, after going back, and after undoing that. */
  counts: unknown[];
  /** Kinds of two backups, the second after one more row. */
  kinds: string[];
  /** Whether the last backup downloads as the database. */
  isEqual: boolean;
  /** Rows once that backup was restored. */
  restored: unknown;
  values: unknown[];
  sql: string;
  /** Code of an error of SQLite. */
  code: unknown;
}

/** A database of the engine, written, backed up, gone back in, restored and dumped. */
export async function engineTrip(
  { pagemark, memoryStore }: Pick<typeof Package, "pagemark" | "memoryStore">,
  { Database }: Pick<typeof Engine, "Database">,
): Promise<EngineTrip> {
  const bytes = async (stream: ReadableStream<Uint8Array>) => {
    return new Uint8Array(
      await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
    );
  };
  const db = await Database.open({ name: "trip", history: { commits: 10 } });
  db.exec("CREATE TABLE note (id INTEGER PRIMARY KEY, text, random)");
  const insert = db.prepare("INSERT INTO note (text, random) VALUES (?, randomblob(8) || date('now'))");
  db.transaction(() => ["one", "two", "three"].map((text) => insert.run(text)));
  const select = db.prepare("SELECT count(*) AS n FROM note");
  const count = () => select.get()?.n;

  const counts = [count()];
  const before = db.bookmark();
  db.exec("DELETE FROM note WHERE id > 1");
  counts.push(count());
  const undo = db.restore({ at: before });
  counts.push(count());
  db.restore({ at: undo });
  counts.push(count());

  const store = memoryStore();
  const backups = [await db.backup({ store })];
  insert.run("four");
  backups.push(await db.backup({ store }));
  const [file, image] = [await bytes(await pagemark(db, { store }).download()), db.serialize()];
  db.exec("DROP TABLE note");
  await pagemark(db, { store }).restore();
  const restored = count();

  let code: unknown;
  try {
    db.exec("nonsense");
  } catch (error) {
    code = (error as { code?: string }).code;
  }
  const values = Object.values(db.prepare("SELECT ? AS a, ? AS b, ? AS c").get(2n ** 62n, "ä\0", null) ?? {});
  const sql = new TextDecoder().decode(await bytes(await db.dump()));
  db.close();
  return {
    counts,
    kinds: backups.map(({ kind }) => kind),
    isEqual: file.length === image.length && file.every((byte, at) => byte === image[at]),
    restored,
    // What the tests of browsers get comes as JSON.
    values: values.map(String),
    sql,
    code,
  };
}

/** What it gives in every runtime, but for the SQL. */
export const ENGINE_TRIP: Omit<EngineTrip, "sql"> = {
  counts: [3, 1, 3, 1],
  kinds: ["full", "incremental"],
  isEqual: true,
  restored: 2,
  values: ["4611686018427387904", "ä\0", "null"],
  code: "SQL_ERROR",
};

// A small real database in four states, each as its file's bytes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Database, memory, pagemark, type Store } from "pagemark";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

/** Full, then three incrementals: changed, grown, shrunk. */
export function states(pageSize = 512): Uint8Array<ArrayBuffer>[] {
  const path = join(tempFolder(), "states.db");
  const steps = [
    `PRAGMA page_size = ${pageSize}; ${tableSql("a", 30, 60)}`,
    "UPDATE a SET note = 'changed' WHERE id = 7",
    tableSql("b", 20, 90),
    "DROP TABLE b; DELETE FROM a WHERE id > 20; VACUUM",
  ];
  return steps.map((sql) => {
    runSql(path, sql);
    return new Uint8Array(readFileSync(path));
  });
}

/** The database in that state, over `store`. */
export function databaseOf(bytes: Uint8Array<ArrayBuffer>, store: Store, name = "app"): Database {
  return pagemark(memory(bytes), { name, store });
}

export async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

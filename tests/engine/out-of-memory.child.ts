// Fills a database until memory runs out, again and again, and writes it out: `node out-of-memory.child.ts MIB WORK FILE`.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Database, initSync, OpenOptions } from "../../js/dist/pkg/engine/pagemark.js";
import { capped } from "./capped-wasm.ts";

const [mib = "32", work = "rows", path = ""] = process.argv.slice(2);
const WORK: Record<string, string[]> = {
  rows: ["INSERT INTO t (b) VALUES (zeroblob(3000))"],
  statement: [
    "WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 200000) INSERT INTO t (b) SELECT zeroblob(1000) FROM r",
  ],
  blobs: ["INSERT INTO t (b) VALUES (zeroblob(9000000))"],
  vacuum: ["INSERT INTO t (b) VALUES (zeroblob(200000))", "VACUUM"],
  sort: [
    "INSERT INTO t (b) VALUES (zeroblob(200000))",
    "SELECT count(*) FROM (SELECT hex(b) AS h FROM t ORDER BY h)",
  ],
};
const FAILURES = 20;

const wasm = readFileSync(join(import.meta.dirname, "../../js/dist/engine.wasm"));
initSync({ module: capped(wasm, Number(mib) * 16) });
const now = Date.now();
const db = Database.open(undefined, "0123456789abcdef", new OpenOptions(), now);
db.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)", now);
const codes: string[] = [];
for (let round = 0; codes.length < FAILURES; round++) {
  for (const sql of WORK[work] ?? []) {
    try {
      db.exec(sql, now);
    } catch (error) {
      codes.push((error as { code?: string }).code ?? String(error));
    }
  }
  if (round > 100_000) throw new Error("memory does not run out");
}
const { id, pageCount, pageSize } = db.pin("latest", 1e6, now);
const page = new Uint8Array(pageSize);
for (let pgno = 1; pgno <= pageCount; pgno++) {
  db.readPages(id, Uint32Array.of(pgno), page, now);
  writeFileSync(path, page, { flag: "a" });
}
db.release(id, now);
// It is still there to be read.
db.exec("SELECT a FROM t LIMIT 1", now);
console.log(JSON.stringify([...new Set(codes)]));

// The bank of page-writers.js: what proves that an image of it is one commit.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect } from "vitest";

/** A backup that was made in a browser, and what a restore of it would write. */
export interface Made {
  kind: string;
  taken: string;
  ms: number;
  base64: string;
}

/** What is in a bank, if it is one commit of it. */
export function provedBank({ base64 }: Pick<Made, "base64">): { transfers: number } {
  const folder = mkdtempSync(join(tmpdir(), "pagemark-opfs-"));
  const path = join(folder, "bank.db");
  writeFileSync(path, Buffer.from(base64, "base64"));
  const database = new DatabaseSync(path);
  try {
    expect(database.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    const row = database
      .prepare(
        `SELECT (SELECT sum(balance) FROM accounts) AS sum, (SELECT transfers FROM state) AS transfers,
          (SELECT count(*) FROM transfers) AS rows`,
      )
      .get() as { sum: number; transfers: number; rows: number };
    expect(row.sum).toBe(100_000);
    expect(row.rows).toBe(row.transfers);
    return row;
  } finally {
    database.close();
    rmSync(folder, { recursive: true });
  }
}

// What the documents of CockroachDB and QuestDB have their users type, statement by statement, and what each must come to. The
// database is `bank`, with one row in `customers` and none in `accounts`, and must not have changed for a second: the documents'
// ages ('-10s', '-1m') are shortened to that. A folder's path stands for `{at}`.

import { expect } from "vitest";

/** The effect of a statement: the first rows of its answer, of which these fields are told; a code where it must be refused. */
type Effect = Record<string, unknown>[] | string;

export interface Documented {
  /** With the row's id. */
  name: string;
  statement: string;
  effect: Effect;
  /** Where only those that name no place are taken: the effect there; a refusal unless given. */
  inOnePlace: Effect;
}

const REFUSED_PLACE = "STATEMENT_UNSUPPORTED";
const made = (kind?: "full" | "incremental") => [{ database: "bank", state: "done", ...(kind && { kind }) }];
const TABLES = [
  { table: "accounts", rows: 0 },
  { table: "customers", rows: 1 },
];
const LOCALITIES =
  "('{at}/east?COCKROACH_LOCALITY=default', '{at}/west?COCKROACH_LOCALITY=region%3Dus-west')";
const SCHEDULED = { name: "core_schedule_label" };

const ROWS: [id: string, statement: string, effect: Effect, inOnePlace?: Effect][] = [
  ["B11", "BACKUP DATABASE bank TO '{at}/weekly' AS OF SYSTEM TIME '-1s';", made("full")],
  ["B11", "BACKUP INTO '{at}/collection' AS OF SYSTEM TIME '-1s';", made("full")],
  ["B1", "BACKUP DATABASE bank TO '{at}/full';", made("full")],
  ["B3", "BACKUP DATABASE bank TO '{at}/inc1' INCREMENTAL FROM '{at}/full';", made("incremental")],
  [
    "B3",
    "BACKUP DATABASE bank TO '{at}/inc2' INCREMENTAL FROM '{at}/full', '{at}/inc1';",
    made("incremental"),
  ],
  [
    "B12",
    "BACKUP DATABASE bank TO '{at}/history' AS OF SYSTEM TIME '-1s' WITH revision_history;",
    made("full"),
  ],
  ["B1", "BACKUP DATABASE bank TO '{at}/full2' WITH detached;", "STATEMENT_SYNTAX", "STATEMENT_SYNTAX"],
  ["E2", "BACKUP bank.customers TO '{at}/tables';", made("full")],
  ["E2", "BACKUP TABLE bank.customers, bank.accounts TO '{at}/tables';", made("full")],
  ["B1", "BACKUP DATABASE bank INTO LATEST IN '{at}/collection';", made("incremental")],
  ["E7", "SHOW BACKUPS IN '{at}/collection';", [{ kind: "incremental" }, { kind: "full" }]],
  ["E7", "SHOW BACKUP '{at}/full';", [{ table: "accounts" }, { table: "customers" }]],
  ["E7", "SHOW BACKUP FROM LATEST IN '{at}/collection';", [{ table: "accounts" }, { table: "customers" }]],
  ["B2", "RESTORE DATABASE bank FROM '{at}/full';", TABLES],
  ["B4", "RESTORE DATABASE bank FROM '{at}/full', '{at}/inc1', '{at}/inc2';", TABLES],
  ["B4", "RESTORE DATABASE bank FROM '{at}/inc1', '{at}/inc2';", "CHAIN_GAP"],
  ["B2", "RESTORE DATABASE bank FROM LATEST IN '{at}/collection' WITH new_db_name = 'bank_copy';", TABLES],
  ["E2", "RESTORE bank.customers FROM '{at}/full';", [{ database: "bank", table: "customers", rows: 1 }]],
  [
    "E2",
    "RESTORE TABLE bank.customers FROM '{at}/full' WITH into_db = 'bank_copy';",
    [{ database: "bank_copy" }],
  ],
  ["B13", `BACKUP DATABASE bank TO ${LOCALITIES};`, made("full")],
  ["B13", `RESTORE DATABASE bank FROM ${LOCALITIES};`, TABLES],
  [
    "B6",
    "CREATE SCHEDULE core_schedule_label FOR BACKUP DATABASE bank INTO '{at}/scheduled' RECURRING '@daily' FULL BACKUP ALWAYS WITH SCHEDULE OPTIONS first_run = 'now';",
    [SCHEDULED],
  ],
  [
    "B6",
    "CREATE SCHEDULE IF NOT EXISTS core_schedule_label FOR BACKUP DATABASE bank RECURRING '1 0 * * *' FULL BACKUP '@weekly';",
    [SCHEDULED],
    [SCHEDULED],
  ],
  ["B6", "SHOW SCHEDULES;", [SCHEDULED], [SCHEDULED]],
  ["B6", "PAUSE SCHEDULE core_schedule_label;", [{ state: "paused" }], [{ state: "paused" }]],
  ["B6", "RESUME SCHEDULE core_schedule_label;", [SCHEDULED], [SCHEDULED]],
  ["B6", "DROP SCHEDULE core_schedule_label;", [SCHEDULED], [SCHEDULED]],
  ["E1", "BACKUP DATABASE bank;", made(), made()],
  ["E2", "BACKUP TABLE bank.customers;", made("full"), made("full")],
  [
    "E3",
    "SHOW BACKUPS FROM bank;",
    [{ partial: "customers" }, { state: "done" }],
    [{ partial: "customers" }, { state: "done" }],
  ],
  ["E2", "RESTORE TABLE bank.customers;", [{ rows: 1 }], [{ rows: 1 }]],
  ["B2", "RESTORE DATABASE bank;", TABLES, TABLES],
  ["E8", "SNAPSHOT PREPARE bank;", [{ in_progress: true }], [{ in_progress: true }]],
  ["E8", "CHECKPOINT CREATE bank;", "CHECKPOINT_EXISTS", "CHECKPOINT_EXISTS"],
  ["E8", "SNAPSHOT COMPLETE bank;", [{ in_progress: false }], [{ in_progress: false }]],
  ["E8", "CHECKPOINT CREATE bank;", [{ in_progress: true }], [{ in_progress: true }]],
  ["E8", "CHECKPOINT RELEASE bank;", [{ in_progress: false }], [{ in_progress: false }]],
  ["E8", "CHECKPOINT RELEASE bank;", "CHECKPOINT_NONE", "CHECKPOINT_NONE"],
  ["E7", "SHOW JOBS;", "STATEMENT_SYNTAX", "STATEMENT_SYNTAX"],
  ["E7", "SELECT * FROM customers;", "STATEMENT_SYNTAX", "STATEMENT_SYNTAX"],
  ["E7", "DROP TABLE bank.customers;", "STATEMENT_SYNTAX", "STATEMENT_SYNTAX"],
];

/** What makes the database. */
export const BANK =
  "PRAGMA journal_mode = wal; CREATE TABLE accounts (id INTEGER PRIMARY KEY); CREATE TABLE customers (id INTEGER PRIMARY KEY, name); INSERT INTO customers VALUES (1, 'a');";

/** Every statement; `at` is the folder of the places. */
export function documentedStatements(at: string): Documented[] {
  return ROWS.map(([id, statement, effect, inOnePlace = REFUSED_PLACE]) => {
    return { name: `${id} ${statement}`, statement: statement.replaceAll("{at}", at), effect, inOnePlace };
  });
}

/** Compares what came of a statement, rows or a code, with what should. */
export function expectEffect({ name, effect }: Pick<Documented, "name" | "effect">, found: unknown): void {
  if (typeof effect === "string") expect(found, name).toBe(effect);
  else expect(Array.isArray(found) ? found.slice(0, effect.length) : found, name).toMatchObject(effect);
}

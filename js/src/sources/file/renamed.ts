// A table under another name: SQLite renames it in a database of its own, in the folder for temporary files.
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { PagemarkError, SourceError } from "../../errors/index.ts";
import { removeTemporaryFolder, temporaryError, temporaryFolder } from "../../node/temporary-file.ts";
import { replaceFile } from "./replace.ts";
import { resultCode, sqlite } from "./sqlite.ts";

/** See `PageSource.renameTable`. `end` deletes the file at `path`. */
export async function renamedTable(
  body: ReadableStream<Uint8Array>,
  from: string,
  to: string,
): Promise<{ path: string; triggers: string[]; end: () => Promise<void> }> {
  const { DatabaseSync } = sqlite() ?? {};
  if (!DatabaseSync) {
    await body.cancel().catch(() => {});
    const message = "to rename a table takes node:sqlite, which this runtime lacks; use Node, or the command";
    throw new PagemarkError("RUNTIME_UNSUPPORTED", message);
  }
  const folder = await temporaryFolder();
  const end = () => removeTemporaryFolder(folder);
  try {
    const path = join(folder, "table.db");
    await replaceFile(path, body, { ownsChunks: true });
    const connection = new DatabaseSync(path, { enableForeignKeyConstraints: false });
    try {
      connection.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN");
      const triggers = rename(connection, from, to);
      connection.exec("COMMIT");
      return { path, triggers, end };
    } finally {
      connection.close();
    }
  } catch (error) {
    await end();
    if (resultCode(error) === undefined) throw temporaryError(error, folder);
    const message = `table ${JSON.stringify(from)} cannot be called ${JSON.stringify(to)}: ${(error as Error).message}; nothing was changed`;
    throw new SourceError("SOURCE_REFUSED", message, { name: from }, { cause: error });
  }
}

interface Part {
  name: string;
  sql: string;
}

const CREATE_INDEX =
  /^(CREATE (?:UNIQUE )?INDEX )("(?:[^"]|"")*"|'(?:[^']|'')*'|`(?:[^`]|``)*`|\[[^\]]*\]|[^\s"'`[(]+)/i;

/** Gives the names of the triggers, which go: what they do is meant for the table of the old name. */
function rename(connection: DatabaseSync, from: string, to: string): string[] {
  const parts = (type: string, table: string) =>
    connection
      .prepare(
        "SELECT name, sql FROM sqlite_schema WHERE type = ? AND lower(tbl_name) = lower(?) AND sql IS NOT NULL",
      )
      .all(type, table) as unknown as Part[];
  const triggers = parts("trigger", from).map(({ name }) => name);
  for (const name of triggers) connection.exec(`DROP TRIGGER ${quoted(name)}`);
  connection.exec(`ALTER TABLE ${quoted(from)} RENAME TO ${quoted(to)}`);
  for (const { name, sql } of parts("index", to)) {
    connection.exec(`DROP INDEX ${quoted(name)}`);
    connection.exec(sql.replace(CREATE_INDEX, (_, create) => `${create}${quoted(`${to}_${name}`)}`));
  }
  return triggers;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

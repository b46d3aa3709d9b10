// Backs up a database that lives in the page, and reads the backup back as SQL.
import { memoryStore, pagemark } from "pagemark";
import { LiveDatabase } from "pagemark/engine";

export async function run() {
  const notes = await LiveDatabase.open({ name: "notes" });
  notes.exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, text)");
  notes.prepare("INSERT INTO notes (text) VALUES (?), (?)").run("first", "second");
  const db = pagemark(notes, { name: "notes", store: memoryStore() });
  const { id, kind, tables, size } = await db.backup();
  const sql = await new Response(await db.dump({ at: id })).text();
  return { kind, tables, size, rows: sql.match(/^\(.*\)/gm) };
}

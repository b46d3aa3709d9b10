// A Worker that makes a backup of a database of its own. examples/d1 backs up D1, worker-example binds the Pagemark Worker.
import { memoryStore, pagemark } from "pagemark";
import { LiveDatabase } from "pagemark/engine";

export default {
  async fetch() {
    const notes = await LiveDatabase.open({ name: "notes" });
    notes.exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, text)");
    notes.prepare("INSERT INTO notes (text) VALUES (?), (?)").run("first", "second");
    const db = pagemark(notes, { name: "notes", store: memoryStore() });
    const { id, kind, tables, size } = await db.backup();
    const sql = await new Response(await db.dump({ at: id })).text();
    return Response.json({ kind, tables, size, rows: sql.match(/^\(.*\)/gm) });
  },
};

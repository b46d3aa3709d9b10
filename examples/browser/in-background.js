// All work in a worker that Pagemark starts by itself, on a database in the browser's private files.
import { memoryStore, pagemark } from "pagemark";
import { inBackground } from "pagemark/browser";
import { LiveDatabase } from "pagemark/engine";

async function run() {
  const notes = await LiveDatabase.open({ name: "notes" });
  notes.exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, text)");
  notes.prepare("INSERT INTO notes (text) VALUES (?), (?)").run("first", "second");
  const file = await new Response(await pagemark(notes, { store: memoryStore() }).export()).blob();
  const db = inBackground("notes.db");
  await db.replace(file); // as if the user had picked it
  const { kind, tables, size } = await db.backup();
  const sql = await new Response(await db.dump()).text();
  return { kind, tables, size, rows: sql.match(/^\(.*\)/gm) };
}

const shown = document.querySelector("output");
run().then(
  (result) => {
    shown.textContent = JSON.stringify(result);
  },
  (error) => {
    shown.textContent = `${error.code ?? error.name}: ${error.message}`;
  },
);

// Backs up a file, and reads the backup back: Node, Deno and Bun alike.
import { file, folder, pagemark } from "pagemark";

async function main() {
  const [path = "app.db", backups = "backups"] = process.argv.slice(2);
  const db = pagemark(file(path), { name: "app", store: folder(backups) });
  const { id, kind, tables, size } = await db.backup();
  const sql = await new Response(await db.dump({ at: id })).text();
  console.log(JSON.stringify({ kind, tables, size, rows: sql.match(/^\(.*\)/gm) }));
}
main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});

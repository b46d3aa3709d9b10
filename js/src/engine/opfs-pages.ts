import { core } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import { faultOf } from "../opfs/faults.ts";
import { folderAt, privateFiles, segmentsOf, syncHandle } from "../opfs/folders.ts";
import { PageFiles } from "./page-files.ts";

/** Below this folder of the origin's private files. */
const FOLDER = ".pagemark-databases";

/**
 * The pages of a live database in the browser's private files (OPFS), in a folder of its own. Use it as
 * `LiveDatabase.open({ name: "app", store: opfsPages("app") })`, in a dedicated worker; closing the database closes the files.
 *
 * A commit is there once its call has returned; a tab that is killed at any moment leaves the last commit, or the one
 * that was under way. Only one worker of all tabs has the database open at a time.
 *
 * @param path of the database: names with `/` between them
 * @throws PagemarkError `ENGINE_IN_USE` when another worker or tab has it open; `RUNTIME_UNSUPPORTED` outside of a dedicated worker
 * @example
 * ```ts
 * import { LiveDatabase, opfsPages } from "pagemark/engine";
 * const db = await LiveDatabase.open({ name: "app", store: opfsPages("app"), history: { ageMs: 86_400_000 } });
 * db.exec("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text)");
 * ```
 */
export async function opfsPages(path: string): Promise<PageFiles> {
  const segments = segmentsOf(path);
  if (segments.length === 0) throw new PagemarkError("USAGE", "opfsPages() takes the database's name");
  const { Sha256 } = await core();
  const root = await privateFiles();
  const folder = await folderAt(root, [FOLDER, ...segments], { create: true }).catch(named(path));
  if (!folder) throw new PagemarkError("STORE_MISSING", `${path}: its folder cannot be made`);
  const open = async (name: string) => {
    const handle = await syncHandle(await folder.getFileHandle(name, { create: true }));
    if (handle) return handle;
    const message = "databases in private files are opened in a dedicated worker: new Worker(…)";
    throw new PagemarkError("RUNTIME_UNSUPPORTED", message);
  };
  const opened = await Promise.allSettled(["pages", "log-0", "log-1"].map(open));
  const handles = opened.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const [pages, one, other] = handles;
  if (pages && one && other) return new PageFiles({ pages, logs: [one, other] }, new Sha256());
  for (const handle of handles) handle.close();
  const { reason } = opened.find((each) => each.status === "rejected") as PromiseRejectedResult;
  return named(path)(reason);
}

/** For `.catch()`: says what an error of the browser means for the database. */
function named(path: string): (cause: unknown) => never {
  return (cause) => {
    const fault = faultOf(cause);
    if (!fault) throw cause;
    const held = "another worker or tab has the database open; close it there first";
    const codes: Partial<Record<typeof fault.kind, string>> = {
      held: "ENGINE_IN_USE",
      full: "STORE_FULL",
      denied: "STORE_DENIED",
    };
    const message = `${path}: ${fault.kind === "held" ? held : fault.meaning}`;
    throw new PagemarkError(codes[fault.kind] ?? "STORE_IO", message, { name: path }, { cause });
  };
}

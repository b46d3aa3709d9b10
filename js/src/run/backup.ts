import { core, naming } from "../core/index.ts";
import { checkHas, checkOptions, PagemarkError } from "../errors/index.ts";
import { drive } from "../host/drive.ts";
import { Upload } from "../objects/upload.ts";
import type { PageSource } from "../sources/source.ts";
import { BackupHost, type PackOptions } from "./backup-host.ts";
import { type Made, madeBy, type NewBackup } from "./made.ts";
import { inOrder, partialName, sourceOfTables } from "./partial.ts";
import { type PagemarkOptions, type Subject, subjectOf } from "./subject.ts";

/** How a backup is made. */
export interface BackupOptions extends PackOptions {
  /** Makes a full backup even where an incremental one would do. */
  full?: boolean;
  /**
   * Says that this is the database whose backups go by that name, where it looks like another one (`OTHER_DATABASE`):
   * once is enough.
   */
  sameDatabase?: boolean;
  /** A name for the backup, which keeps it from being pruned. */
  tag?: string;
  /** What to remember of the backup. */
  note?: string;
  /** Says that a schedule wants it, and nobody by hand. */
  automatic?: boolean;
  /**
   * These tables alone, with their indexes, triggers and sequences, and these views: a partial backup, which is kept apart, under the name
   * `<database>.<tables>`.
   */
  tables?: readonly string[] | undefined;
}

/** What only those ask for who store the states between backups. */
export interface WatchingOptions extends BackupOptions {
  watching?: boolean;
}

/**
 * Makes one backup, as `pagemark(source, options).backup()` does. For bundles that do nothing else: with it comes nothing of what
 * lists, restores or dumps.
 *
 * @throws PagemarkError and its kinds, as docs/errors.md lists them; `CONFLICT` when another backup finished first
 * @example
 * ```ts
 * import { backup, memory, memoryStore } from "pagemark";
 * const image = new Blob([]); // of a database
 * const made = await backup(memory(image), { name: "app", store: memoryStore() });
 * console.log(made.id, made.storedSize);
 * ```
 */
export async function backup(
  source: PageSource,
  options: PagemarkOptions & BackupOptions,
): Promise<NewBackup> {
  const subject = subjectOf("backup", source, options);
  const { tables } = options;
  if (tables) {
    subject.source = sourceOfTables(source, tables);
    subject.name = partialName(subject.name, tables);
  }
  const { nameToSegment } = await core();
  const folder = await naming(subject.name, () => nameToSegment(subject.name));
  return backUp({ ...subject, folder, safety: false }, options);
}

/** Makes a backup in one go. What it does in which order, the core says (`src/run/story.rs`). */
export async function backUp(subject: Subject, options: WatchingOptions = {}): Promise<NewBackup> {
  const { source, store, name, folder, safety, memory } = subject;
  checkHas("pin", source, "the source", "one such as file(path)");
  checkOptions(options);
  const { pages, full = false, sameDatabase = false, automatic = false, watching = false, signal } = options;
  if (pages !== undefined && pages !== -1 && !(Number.isInteger(pages) && pages > 0)) {
    throw new PagemarkError("USAGE", `pages must be -1 or a whole number above 0, not ${pages}`);
  }
  signal?.throwIfAborted();
  const { Machine } = await core();
  const flags = Object.entries({ safety, full, sameDatabase, automatic, watching }).flatMap(
    ([flag, isSet]) => (isSet ? [flag] : []),
  );
  for (const name of ["tag", "note"] as const) {
    if (options[name] !== undefined) flags.push(`${name}=${labelText(name, options[name])}`);
  }
  for (const table of options.tables ? inOrder(options.tables) : []) flags.push(`partial=${table}`);
  const most = pages !== undefined && pages > 0 ? Math.min(pages, 2 ** 32 - 1) : undefined;
  const random = randomBytes();
  const machine = Machine.backup(folder, store.layout, name, flags, most, undefined, random, memory?.take());
  const host = new BackupHost(
    subject,
    (_, key, modified) => Upload.start(store, key, { modified, ownsChunks: true, signal }),
    options,
  );
  try {
    const outcome = await naming(source.name, () =>
      drive<Made | null>(machine, (request) => host.perform(request)),
    );
    const made = madeBy(outcome, { store, name, source, moment: host.moment });
    if (!made) throw new Error("a backup that was not given up is made");
    memory?.keep(machine.takeKnown());
    return made;
  } finally {
    await host.close();
    machine.free();
  }
}

/** In characters. */
const LONGEST_LABEL = { tag: 64, note: 1000 } as const;

function labelText(name: keyof typeof LONGEST_LABEL, text: string): string {
  const most = LONGEST_LABEL[name];
  if (typeof text === "string" && text.trim() !== "" && text.length <= most) return text;
  throw new PagemarkError("USAGE", `${name} must be text of 1 to ${most} characters`);
}

/** What a machine draws a backup's id and a database's lineage from. */
export function randomBytes(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(24));
}

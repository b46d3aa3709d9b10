// What is noted down of the backups of a database: who wanted them, and which objects must go.
import type { Backup } from "../catalog/folder.ts";
import type { Candidate } from "../catalog/retention.ts";

/** Who wanted a backup. */
export type Origin = "manual" | "scheduled" | "automatic" | "restore";

/** What is known of a backup beyond what the store says. */
export interface BackupNote {
  id: string;
  /** Who wanted it. */
  origin: Origin;
  /** How many periods of the schedule before it had no backup. */
  missed: number;
  /** Whether somebody deleted it. */
  deleted: boolean;
}

/** Where the notes of one database are kept: a table, a file, memory. */
export interface BackupNotes {
  all(): BackupNote[];
  /** Takes the place of what was noted of that backup. */
  put(note: BackupNote): void;
  forget(ids: Iterable<string>): void;
}

/** A backup that nobody noted down was wanted by somebody: it is kept. */
export function noteOf(id: string, notes: ReadonlyMap<string, BackupNote>): BackupNote {
  return notes.get(id) ?? { id, origin: "manual", missed: 0, deleted: false };
}

export function byId(notes: BackupNotes): Map<string, BackupNote> {
  return new Map(notes.all().map((note) => [note.id, note]));
}

/** What retention goes by. */
export interface Kept extends Candidate {
  id: string;
}

/** What retention goes by, oldest first. A backup whose record is damaged has no id, and nobody deletes it. */
export function toKept(newestFirst: readonly Backup[], notes: ReadonlyMap<string, BackupNote>): Kept[] {
  const done = newestFirst.filter(({ state }) => state === "done").reverse();
  return done.map(({ id, kind, createdAt }) => {
    const { origin, deleted } = noteOf(id, notes);
    return {
      id,
      kind,
      createdMs: Date.parse(createdAt),
      pinned: origin === "manual" || origin === "scheduled",
      deleted,
    };
  });
}

/** Objects that must go, in order. They are noted down first: without their records nobody would find them again. */
export interface Removals {
  add(keys: readonly string[]): void;
  /** Deletes them. @throws StoreError for the first one that stays; that one and what follows it stay noted down */
  run(): Promise<void>;
}

import type { NextBackup } from "../catalog/history.ts";
import { DamageError } from "../errors/index.ts";
import { Pieces } from "../objects/chunks.ts";
import type { PartedState } from "../objects/resumable-object.ts";
import type { ObjectProof } from "../objects/upload.ts";
import type { Draft } from "./draft.ts";

/**
 * A backup under way, between two steps: plain data that can be cloned and stored. No array in it has more than 512 KiB.
 * Of lists of arrays, all but the last are the same objects as the step before.
 */
export interface BackupRunState {
  version: typeof VERSION;
  /** What comes next. */
  phase: "pages" | "fingerprints" | "ltx" | "record" | "sweep" | "done";
  /** Names the state of the source that is backed up. */
  bookmark: string;
  draft: Draft;
  next: NextBackup;
  /** Set for a full backup. */
  fullBecause?: string;
  /** The database checksum of the state, 16 hex digits, where the source tells it; an incremental one needs it. */
  checksum?: string;
  /** For an incremental backup: the numbers of the pages to pack, 4 bytes each, as the machine has them. */
  changed?: Uint8Array[];
  /** How many of the pages to pack are done. */
  packed: number;
  /** The core's `Writer`; missing when all pages are done. */
  writer?: { head: Uint8Array; index: Uint8Array[] };
  ltx: PartedState;
  fingerprints: PartedState;
  /** What is known by and by after the pages; complete when the record is next. */
  result: { checksum?: string; changed?: number; fingerprints?: ObjectProof; ltx?: ObjectProof };
  /** The record's text, once it is to be stored. */
  record?: string;
}

export const VERSION = 1;

/** Refuses what another version left, which would be misread. */
export function checkVersion(state: BackupRunState): void {
  if (state?.version === VERSION) return;
  const message =
    "what was saved of the backup under way is damaged or of another version; abort it and begin anew";
  throw new DamageError("SAVED_STATE", message);
}

export function savePages(pages: Uint32Array): Uint8Array[] {
  return new Pieces([new Uint8Array(pages.buffer, pages.byteOffset, pages.byteLength)]).save();
}

export function loadPages(pieces: readonly Uint8Array[]): Uint32Array {
  return new Uint32Array(new Pieces(pieces).join().buffer);
}

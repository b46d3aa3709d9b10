import type { PageFiles } from "./page-files.ts";

/** Which dump is to be helped: what its `Dump` was made of. */
export interface DumpRequest {
  files: PageFiles;
  dialect: string;
  tables: string[];
  noData: boolean;
  noSchema: boolean;
}

/** A part of a dump's rows, written. */
export interface WrittenPart {
  /** Its SQL, in memory that is used again: see {@link DumpHelper.reuse}. */
  text: Uint8Array<ArrayBuffer>;
  /** What `Dump.paste` is to know of it. */
  outcome: Uint32Array;
}

/** Writes parts of a dump on a thread of its own. */
export interface DumpHelper {
  /** Whether it takes another part. */
  readonly isFree: boolean;
  /** Writes what `Dump.give` gave away. Never fails: what cannot be written has an outcome that says so. */
  write(part: Uint8Array): Promise<WrittenPart>;
  /** A text is of no use any more. */
  reuse(text: Uint8Array<ArrayBuffer>): void;
  /** Ends the thread. Parts under way come back unwritten. Idempotent. */
  close(): Promise<void>;
}

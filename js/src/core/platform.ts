// What a runtime has of its own: where its wasm is, and what it does on other threads.

/** The package's wasm modules: what backs up, makes SQL, makes pages of rows, chooses among stores, reads statements, and SQLite. */
export type WasmName = "core" | "dump" | "build" | "subset" | "locality" | "statement" | "engine";

/** A wasm: where to fetch it, a response with it, its bytes, or compiled. A text is a URL, relative to the page's. */
export type Wasm =
  | string
  | URL
  | Response
  | Blob
  | ArrayBufferView<ArrayBuffer>
  | ArrayBuffer
  | WebAssembly.Module;

/** What {@link httpFetch} is asked for. */
export interface HttpRequest {
  method?: string;
  headers?: Headers | Record<string, string>;
  body?: Uint8Array | string;
  signal?: AbortSignal | undefined;
}

/** As {@link httpFetch}. */
export type Fetch = (url: string | URL, request?: HttpRequest) => Promise<Response>;

/** What a runtime has of its own. Set once, by its file in `entry/`. */
export interface Platform {
  /** Finds the wasm. */
  wasm(): Promise<Wasm>;
  /** Finds the wasm that makes SQL. */
  dumpWasm(): Promise<Wasm>;
  /** Finds the wasm that makes pages of rows. */
  buildWasm(): Promise<Wasm>;
  /** Finds the wasm that chooses among stores. */
  subsetWasm(): Promise<Wasm>;
  localityWasm(): Promise<Wasm>;
  /** Makes requests where the runtime's own `fetch` is not to be trusted with large bodies. */
  fetch?: Fetch | undefined;
  /** A SHA-256 faster than the core's, which works in steps. */
  sha256?(): Hasher;
  /** Packs pages on several threads, of low priority unless in a hurry. */
  packPool?(pageSize: number, hurry: boolean): PackPool;
  /** Decodes a chain of so many files on another thread; nothing where there is none to be had. `isProved`: see {@link restorer}. */
  restorer?(files: number, isProved: boolean): Promise<Restorer | undefined>;
  /** Writes parts of a dump on another thread, if there is a core for it. */
  dumpHelper?(request: DumpRequest): DumpHelper | undefined;
}

let platform: Platform | undefined;

/** Names the runtime. */
export function usePlatform(runtime: Platform): void {
  platform ??= runtime;
}

export function currentPlatform(): Platform {
  if (!platform) throw new Error("pagemark was imported past its entry points: import it as 'pagemark'");
  return platform;
}

/**
 * Makes one request, by the runtime's best means. No redirect is followed: what is signed or has a token is for one host. The body
 * of the answer is read as it is asked for; cancel it when it is not wanted.
 */
export async function httpFetch(url: string | URL, request: HttpRequest = {}): Promise<Response> {
  const own = currentPlatform().fetch;
  if (own) return own(url, request);
  const { body, signal, ...rest } = request;
  return fetch(url, {
    ...rest,
    redirect: "manual",
    ...(signal && { signal }),
    ...(body !== undefined && { body: body as Uint8Array<ArrayBuffer> | string }),
  });
}

/** A random UUID, on pages without https, too, where the runtime's own function is missing. */
export function uuid(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** SHA-256 in steps. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** 64 hex digits; call it once. */
  digest(): string;
}

/** A run of whole pages that follow each other. */
export interface PageRun {
  /** Number of its first page. */
  first: number;
  count: number;
}

/** Pages to pack: the runs' pages one after the other. */
export interface PackRequest {
  runs: PageRun[];
  /** The pages of all runs. May share its memory with workers (`SharedArrayBuffer`). */
  pages: Uint8Array;
  /** The pages' states at the last backup, 24 bytes a page; pages that are as they were are left out. */
  previous?: Uint8Array;
}

/** Pages packed: the frames for the LTX file, and all else the core's `Writer` must know of them. */
export interface PackResult {
  frames: Uint8Array;
  summary: Uint8Array;
}

/** Packs batches of pages, several at a time where the runtime has threads. */
export interface PackPool {
  /** How many batches to keep under way. */
  readonly concurrency: number;
  /** How large they are best, in bytes of pages. */
  readonly batch: number;
  /** Memory for one batch's pages, which `pack` reads without copying where it can. */
  buffer(bytes: number): Uint8Array;
  pack(request: PackRequest): Promise<PackResult>;
  close(): Promise<void>;
}

/** What a restore needs or gives next. */
export type RestoreStep =
  /** Feed this file. `spare` is memory of a chunk that was fed before, to read the next one into. */
  | { kind: "need"; file: number; spare?: ArrayBuffer | undefined }
  /** The next bytes of the database file, the caller's from now on. */
  | { kind: "output"; bytes: Uint8Array }
  /** All of it was given, and this is its database checksum: 16 hex digits. */
  | { kind: "end"; checksum: string };

/** Decodes a chain of LTX files to the database file, on another thread where the runtime has one. */
export interface Restorer {
  /** How many chunks of a file it may hold at a time. */
  readonly ahead: number;
  /** What comes next. @throws as the core does, after which {@link current} tells in which file. */
  next(): Promise<RestoreStep>;
  /**
   * The next bytes of a file; none mean that it ends. With `mayTake` they are the restorer's from then on, otherwise
   * they stay as they are until the call is over.
   */
  feed(file: number, bytes: Uint8Array, mayTake: boolean): void;
  /** The file that was fed last. */
  readonly current: number;
  close(): Promise<void>;
}

/**
 * Where the pages of one moment lie in files that this process has open: what another thread of it needs to read them.
 * Descriptors stay open until the moment is released.
 */
export interface PageFiles {
  /** In bytes. */
  pageSize: number;
  pageCount: number;
  /** Descriptor of the database. */
  main: number;
  /** How many pages lie in it. */
  mainPages: number;
  /** Descriptor of the file in which some pages lie instead, the WAL or the journal. */
  side?: number;
  /** Which, ascending, and where: page number, byte offset, page number, … */
  beside: Float64Array;
}

/** The dump to help with: what its `Dump` was made of. */
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

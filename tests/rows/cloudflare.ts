// Real local D1 databases and real Durable Objects, backed up to R2 by a Worker that has the package: workerd, run by
// miniflare, as wrangler runs it.
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import type {
  BackupOptions,
  DumpOptions,
  DumpToOptions,
  LoadedTable,
  NewBackup,
  Restored,
  RestoreOptions,
} from "pagemark";
import { afterAll, beforeAll, vi } from "vitest";
import type { Place } from "../peers/d1/place.ts";
import { modulesOf } from "../support/worker-modules.ts";

export { modulesOf };

/** They have to be named before workerd starts; one that nobody uses costs nothing. */
const USUAL = 60;

export interface BackedUpPlace extends Place {
  backup(options?: BackupOptions & { store?: "r2" | "memory" }): Promise<NewBackup>;
  /** A backup to R2 by tracking, and how many rows SQLite looked at for it. */
  backupTracked(options?: BackupOptions): Promise<NewBackup & { rowsRead: number }>;
  /** The same, while the call of number `at` goes wrong. */
  backupFaulty(
    fault: Fault & { sliceBytes?: number; tracking?: boolean },
  ): Promise<{ taken: string; calls: number }>;
  /** A backup in steps, which goes on where the last one ended, while the call of number `at` goes wrong. */
  stepsFaulty(
    fault: Fault & { sliceBytes: number; maxBytes: number; tracking?: boolean },
  ): Promise<{ taken: string; calls: number }>;
  untrack(): Promise<void>;
  download(at?: string): Promise<Uint8Array>;
  dump(options?: DumpOptions): Promise<string>;
  /** Dumps into the bucket; what is there then. */
  dumpTo(
    key: string,
    options?: DumpToOptions,
  ): Promise<{ bytes: Uint8Array; size: number; warnings: string[] }>;
  /** Restores what another place was backed up as, or this one. */
  restore(from?: BackedUpPlace, options?: RestoreOptions): Promise<Restored>;
  /** As `restore`, while the database's call of number `at` goes wrong, or the object is evicted at it. */
  restoreFaulty(from: BackedUpPlace, options: RestoreOptions & { fault: Fault }): Promise<FaultyRestore>;
  /** Imports a database file; from the write `failAt` on, none works. */
  import(file: Uint8Array, options?: { replace?: boolean; failAt?: number }): Promise<Imported>;
  /** As `import`, while the database's call of number `at` goes wrong, or the object is evicted at it. */
  importFaulty(
    file: Uint8Array,
    options: { replace?: boolean; fault: Fault },
  ): Promise<{ verified?: LoadedTable[]; calls: number }>;
  /** What its backups are stored as. */
  database: string;
  /** The keys of what is stored of it. */
  stored(): Promise<string[]>;
  /** The pages of the database, read in slices of so many bytes. */
  pages(options: { sliceBytes: number }): Promise<Uint8Array>;
  /** A backup, in slices of so many bytes. After so many answers a writer comes in between, once or so many times. */
  backupInSlices(options: {
    sliceBytes: number;
    statements?: string[];
    after?: number;
    times?: number;
    tracking?: boolean;
  }): Promise<{ taken: string; answers: number }>;
  /** A backup in steps of so many bytes; after so many of them somebody writes, and at a call something fails, once. */
  backupInSteps(options: {
    sliceBytes: number;
    maxBytes: number;
    maxMs?: number;
    tracking?: boolean;
    statements?: string[];
    after?: number;
    failAt?: number;
  }): Promise<{ taken: string; steps: number; left: number; asked: number }>;
  /** The answers to queries, as the source gives them; bytes and odd numbers as objects. */
  ask(queries: { sql: string; values?: unknown[] }[]): Promise<unknown[][][]>;
}

export interface Fault {
  at: number;
  /** Of D1: what becomes of the call; of a Durable Object: whether it is evicted before the call or after it, which may be the bucket's. */
  how: "refuses" | "fails" | "answer is lost" | "silent" | "late" | "later" | "writes" | "before" | "after";
}

export interface FaultyRestore extends Pick<Restored, "undo" | "verified"> {
  /** How often the database was called. */
  calls: number;
}

export interface Imported {
  warnings: string[];
  verified?: LoadedTable[];
  writes: number;
}

/** The Cloudflare of a test file: every database that it gives is a new, empty one. */
export class Cloudflare {
  #miniflare: Miniflare | undefined;
  #used = 0;

  /** @param most how many databases there may be */
  constructor(most = USUAL) {
    // A second is more than enough, but not where other tests run at the same time.
    vi.setConfig({ testTimeout: 60_000 });
    beforeAll(async () => {
      const names = Array.from({ length: most }, (_, index) => `DB${index}`);
      this.#miniflare = new Miniflare(
        convertV4MiniflareOptions({
          modules: await modulesOf(join(import.meta.dirname, "worker.mjs")),
          compatibilityDate: "2026-10-01",
          d1Databases: Object.fromEntries(names.map((name) => [name, name])),
          durableObjects: { HOLDER: { className: "Holder", useSQLite: true } },
          r2Buckets: ["BACKUPS"],
        }),
      );
      await this.#miniflare.ready;
    }, 60_000);
    afterAll(() => this.#miniflare?.dispose());
  }

  d1(): BackedUpPlace {
    return this.#place("d1", "D1");
  }

  durableObject(): BackedUpPlace {
    return this.#place("object", "a Durable Object");
  }

  /** One of each. */
  both(): BackedUpPlace[] {
    return [this.d1(), this.durableObject()];
  }

  #place(place: "d1" | "object", called: string): BackedUpPlace {
    const name = `DB${this.#used++}`;
    const send = async (action: string, argument?: unknown) => {
      if (this.#miniflare === undefined) throw new Error("Cloudflare is not up");
      const body = JSON.stringify({ place, name, action, argument });
      const answer = await this.#miniflare.dispatchFetch("http://worker/", { method: "POST", body });
      if (answer.ok) return answer;
      const { code, message } = (await answer.json()) as { code?: string; message: string };
      throw Object.assign(new Error(message), { code });
    };
    const json = async <T>(action: string, argument?: unknown) =>
      (await (await send(action, argument)).json()) as T;
    return {
      name: called,
      database: name,
      restore: (from, options) => json("restore", { from: from?.database ?? name, ...options }),
      restoreFaulty: (from, options) => json("restoreFaulty", { from: from.database, ...options }),
      import: (file, options) => json("import", { file: Buffer.from(file).toString("base64"), ...options }),
      run: (statements) => json("run", statements),
      importFaulty: (file, options) =>
        json("importFaulty", { file: Buffer.from(file).toString("base64"), ...options }),
      rows: async (sql) => (await json<unknown[][][]>("rows", [sql]))[0] ?? [],
      all: (queries) => json("rows", queries),
      ask: (queries) => json("ask", queries),
      backup: (options) => json("backup", options),
      backupTracked: (options) => json("backupTracked", options),
      backupFaulty: (fault) => json("backupFaulty", fault),
      stepsFaulty: (fault) => json("stepsFaulty", fault),
      untrack: () => json("untrack"),
      download: async (at) => new Uint8Array(await (await send("download", at)).arrayBuffer()),
      stored: () => json("stored"),
      pages: async (options) => new Uint8Array(await (await send("pages", options)).arrayBuffer()),
      backupInSlices: (options) => json("sliced", options),
      backupInSteps: (options) => json("steps", options),
      dumpTo: async (key, options) => {
        const answer = await send("dumpTo", { key, ...options });
        const bytes = new Uint8Array(await answer.arrayBuffer());
        return { bytes, ...JSON.parse(answer.headers.get("x-told") ?? "") };
      },
      dump: async (options) => (await send("dump", options)).text(),
    };
  }
}

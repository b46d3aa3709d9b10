// Real local D1 databases and real Durable Objects: workerd, run by miniflare, as wrangler runs them.
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, vi } from "vitest";
import type { Place } from "./place.ts";

export interface ExportOptions {
  noSchema?: boolean;
  noData?: boolean;
  tables?: string[];
}

export interface D1 extends Place {
  /** The statements of D1's own export. */
  export(options?: ExportOptions): Promise<string[]>;
}

/** They have to be named before workerd starts; one that nobody uses costs nothing. */
const MOST = 300;

/** The Cloudflare of a test file: every database that it gives is a new, empty one. */
export class Cloudflare {
  #miniflare: Miniflare | undefined;
  #used = 0;

  constructor() {
    // A second is more than enough, but not where other tests run at the same time.
    vi.setConfig({ testTimeout: 120_000 });
    beforeAll(async () => {
      const names = Array.from({ length: MOST }, (_, index) => `DB${index}`);
      this.#miniflare = new Miniflare(
        convertV4MiniflareOptions({
          modules: [{ type: "ESModule", path: join(import.meta.dirname, "worker.mjs") }],
          compatibilityDate: "2026-10-01",
          d1Databases: Object.fromEntries(names.map((name) => [name, name])),
          durableObjects: { HOLDER: { className: "Holder", useSQLite: true } },
        }),
      );
      await this.#miniflare.ready;
    }, 60_000);
    afterAll(() => this.#miniflare?.dispose());
  }

  d1(): D1 {
    const send = this.#place("d1");
    return {
      name: "D1",
      run: async (statements) => void (await send("run", statements)),
      rows: async (sql) => (await send("rows", sql)) as unknown[][],
      export: async (options = {}) => (await send("export", options)) as string[],
    };
  }

  durableObject(): Place {
    const send = this.#place("object");
    return {
      name: "a Durable Object",
      run: async (statements) => void (await send("run", statements)),
      rows: async (sql) => (await send("rows", sql)) as unknown[][],
    };
  }

  #place(place: "d1" | "object"): (action: string, argument: unknown) => Promise<unknown> {
    const name = `DB${this.#used++}`;
    return async (action, argument) => {
      if (this.#miniflare === undefined) throw new Error("Cloudflare is not up");
      const body = JSON.stringify({ place, name, action, argument });
      const answer = await this.#miniflare.dispatchFetch("http://worker/", { method: "POST", body });
      if (!answer.ok) throw new Error(await answer.text());
      return await answer.json();
    };
  }
}

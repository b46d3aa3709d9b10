// The real Worker on local workerd, for clients that know only its address: one for a test file, gone at its end.
import { join } from "node:path";
import { afterAll, beforeAll, vi } from "vitest";
import { type Caller, QUIET, startWorkers, type Workers, wranglerMain } from "../../scripts/lib/workers.mjs";
import type { Place } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";

export { QUIET, wranglerMain };

export const ACCOUNT = "acct123";
export const TOKEN = "a-token-of-the-tests";
/** May only read. */
export const READ_TOKEN = "a-token-that-reads";

export class TestWorker {
  /** A folder of the test file's own. */
  readonly folder = tempFolder();
  #workers: Workers | undefined;

  /** With these settings beside the tokens, and Workers that bind it. */
  constructor(settings: Record<string, string> = {}, callers: () => Promise<Caller[]> = async () => []) {
    // Clients take seconds to start, and more where other tests run at the same time.
    vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
    beforeAll(async () => {
      this.#workers = await startWorkers({
        state: join(this.folder, "state"),
        callers: await callers(),
        bindings: {
          PAGEMARK_TOKEN: TOKEN,
          PAGEMARK_READ_TOKEN: READ_TOKEN,
          PAGEMARK_SCHEDULE: "off",
          ...settings,
        },
      });
    });
    afterAll(() => this.#workers?.stop());
  }

  get url(): string {
    return this.#up.url;
  }

  /** Where worker-example answers. */
  get exampleUrl(): string {
    return this.#up.exampleUrl;
  }

  /** Where a caller answers. */
  callerUrl(name: string): string {
    const url = this.#up.callerUrls[name];
    if (url === undefined) throw new Error(`there is no caller ${name}`);
    return url;
  }

  /** What clients call their base URL. */
  get api(): string {
    return `${this.url}/client/v4`;
  }

  /** Makes a database of this SQL; gives its UUID. */
  async create(name: string, sql?: string): Promise<string> {
    const { uuid } = await this.#call<{ uuid: string }>("", { name });
    if (sql) await this.#call(`/${uuid}/query`, { sql });
    return uuid;
  }

  /** The database, as it is there. */
  database(uuid: string): Place {
    const rows = async (sql: string) => {
      type Raw = { results: { rows: unknown[][] } }[];
      const [result] = await this.#call<Raw>(`/${uuid}/raw`, { sql });
      return result?.results.rows ?? [];
    };
    const run = async (statements: string[]) =>
      void (await this.#call(`/${uuid}/query`, { sql: statements.join("\n") }));
    return { name: uuid, run, rows };
  }

  /** The states before migrations, newest first. */
  async migrations(uuid: string): Promise<{ migration: string; bookmark: string }[]> {
    type Found = { migrations?: { migration: string; bookmark: string }[] };
    return (await this.#call<Found>(`/${uuid}/time_travel/bookmark`)).migrations ?? [];
  }

  /** Goes back to a bookmark. */
  async goBack(uuid: string, bookmark: string): Promise<void> {
    await this.#call(`/${uuid}/time_travel/restore?bookmark=${bookmark}`, {});
  }

  /** The ids of its backups, newest first. */
  async backups(uuid: string): Promise<string[]> {
    const backups = await this.#call<{ id: string }[]>(`/${uuid}/backup`);
    return backups.map(({ id }) => id);
  }

  async #call<T>(path: string, body?: object): Promise<T> {
    const answer = await fetch(`${this.api}/accounts/${ACCOUNT}/d1/database${path}`, {
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      ...(body && { method: "POST", body: JSON.stringify(body) }),
    });
    const { success, result, errors } = (await answer.json()) as {
      success: boolean;
      result: T;
      errors: { message: string }[];
    };
    if (!success) throw new Error(errors.map(({ message }) => message).join("; "));
    return result;
  }

  get #up(): Workers {
    if (!this.#workers) throw new Error("the Worker is not up");
    return this.#workers;
  }
}

// A server of the API, for clients that know only its address.
import type { Place } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";

export const ACCOUNT = "acct123";
export const TOKEN = "a-token-of-the-tests";
/** May only read. */
export const READ_TOKEN = "a-token-that-reads";

export abstract class TestApi {
  /** A folder of the test file's own. */
  readonly folder = tempFolder();

  abstract get url(): string;

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
}

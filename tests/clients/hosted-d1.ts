// D1's HTTP API as Cloudflare's service answers it, oddities included, in front of real local D1.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll } from "vitest";
import type { Place } from "../peers/d1/place.ts";

type D1 = Awaited<ReturnType<Miniflare["getD1Database"]>>;

export const ACCOUNT = "0123456789abcdef0123456789abcdef";
export const TOKEN = "a-token-of-the-account";
const SIGNED = "/signed/";

/** What the next request is answered with instead. */
export interface Quirk {
  status: number;
  headers?: Record<string, string>;
  body: string;
  /** Whether it is done all the same. */
  isDone?: boolean;
}

/** One for a test file: databases `one`, `two` and `three`. */
export class HostedD1 {
  /** Of the requests to come; `undefined` for one that is answered well. */
  quirks: (Quirk | undefined)[] = [];
  /** What was asked for, as `POST raw`. */
  readonly asked: string[] = [];
  /** Polls until an export is done. */
  polls = 2;
  /** Sizes of the statements that came, in bytes. */
  longest = 0;
  #miniflare: Miniflare | undefined;
  #url = "";
  readonly #exports = new Map<string, { polls: number; sql: string }>();
  readonly #names = ["one", "two", "three"];

  constructor() {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => {
        response.writeHead(500).end(String(error));
      });
    });
    beforeAll(async () => {
      this.#miniflare = new Miniflare(
        convertV4MiniflareOptions({
          modules: true,
          script: "export default {}",
          compatibilityDate: "2026-10-01",
          d1Databases: Object.fromEntries(this.#names.map((name) => [name, name])),
        }),
      );
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      this.#url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    }, 60_000);
    afterAll(async () => {
      server.close();
      await this.#miniflare?.dispose();
    });
  }

  /** What the command line is told. */
  get env(): Record<string, string> {
    return {
      CLOUDFLARE_API_BASE_URL: `${this.#url}/client/v4`,
      CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
      CLOUDFLARE_API_TOKEN: TOKEN,
    };
  }

  /** A database, past the API. */
  async place(name: string): Promise<Place> {
    const db = await this.#database(name);
    return {
      name,
      run: async (statements) => void (await db.batch(statements.map((sql) => db.prepare(sql)))),
      rows: (sql) => db.prepare(sql).raw(),
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", this.#url);
    const text = await textOf(request);
    if (url.pathname.startsWith(SIGNED)) {
      // Whoever sends the token there has leaked it.
      if (request.headers.authorization) return void response.writeHead(400).end();
      const sql = this.#exports.get(url.pathname.slice(SIGNED.length))?.sql;
      return void response.writeHead(sql === undefined ? 404 : 200).end(sql);
    }
    const [, database = "", action = ""] =
      /\/d1\/database(?:\/([^/]+)(?:\/(\w+))?)?$/.exec(url.pathname) ?? [];
    this.asked.push(`${request.method} ${action || "databases"}`);
    const quirk = this.quirks.shift();
    const send = (status: number, result: unknown, errors: object[] = []) =>
      response
        .writeHead(status, { "content-type": "application/json" })
        .end(JSON.stringify({ result, success: errors.length === 0, errors, messages: [] }));
    if (quirk && !quirk.isDone) return void response.writeHead(quirk.status, quirk.headers).end(quirk.body);
    if (request.headers.authorization !== `Bearer ${TOKEN}`)
      return void send(403, null, [{ code: 10000, message: "Authentication error" }]);
    if (database === "") return void send(200, this.#listed(url.searchParams));
    const name = this.#names[Number(database.slice(-1))];
    if (name === undefined)
      return void send(404, null, [{ code: 7404, message: `The database ${database} could not be found` }]);
    try {
      const result = await this.#do(name, action, JSON.parse(text));
      if (quirk) return void response.writeHead(quirk.status, quirk.headers).end(quirk.body);
      send(200, result);
    } catch (error) {
      const message = (error as Error).message.replace("D1_ERROR: ", "");
      send(400, null, [{ code: 7500, message }]);
    }
  }

  #listed(query: URLSearchParams): object[] {
    const all = this.#names.map((name, at) => ({ uuid: `00000000-0000-4000-8000-00000000000${at}`, name }));
    const some = all.filter(({ name }) => name.startsWith(query.get("name") ?? ""));
    return query.get("page") === "1" ? some : [];
  }

  async #do(name: string, action: string, body: Record<string, never>): Promise<unknown> {
    const db = await this.#database(name);
    if (action === "export") return this.#export(db, body);
    const { batch = [body] } = body as { batch?: { sql: string; params?: string[] }[] };
    for (const { sql } of batch) this.longest = Math.max(this.longest, Buffer.byteLength(sql ?? ""));
    const answers = await db.batch(batch.map(({ sql }) => db.prepare(sql as string)));
    return answers.map(({ results, meta }) => {
      const rows = results.map((row) => Object.values(row as object));
      return { results: { columns: Object.keys(results[0] ?? {}), rows }, success: true, meta };
    });
  }

  /** A bookmark is good until the file is there. */
  async #export(db: D1, body: { current_bookmark?: string; dump_options?: Record<string, never> }) {
    const { current_bookmark: bookmark, dump_options: wanted = {} } = body;
    if (bookmark === undefined) {
      const at = `bookmark-${this.#exports.size}`;
      const {
        no_schema = false,
        no_data = false,
        tables = [],
      } = wanted as { no_schema?: boolean; no_data?: boolean; tables?: string[] };
      const statement = db
        .prepare("PRAGMA miniflare_d1_export(?,?,?);")
        .bind(no_schema ? 1 : 0, no_data ? 1 : 0, ...tables);
      const lines = (await statement.raw()) as unknown as string[][];
      this.#exports.set(at, { polls: this.polls, sql: lines.flat().join("\n") });
      return { success: true, type: "export", at_bookmark: at, status: "active", messages: [] };
    }
    const running = this.#exports.get(bookmark);
    if (!running || running.polls < 0) return { success: false, error: "Not currently exporting anything." };
    if (--running.polls > 0)
      return { success: true, type: "export", at_bookmark: bookmark, status: "active", messages: [] };
    running.polls = -1;
    const result = { filename: "it.sql", signed_url: `${this.#url}${SIGNED}${bookmark}` };
    return { success: true, type: "export", at_bookmark: bookmark, status: "complete", messages: [], result };
  }

  async #database(name: string): Promise<D1> {
    if (!this.#miniflare) throw new Error("it is not up");
    return this.#miniflare.getD1Database(name);
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

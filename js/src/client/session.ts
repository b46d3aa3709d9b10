import { failed } from "./errors.ts";
import { type D1Options, type Rows, received } from "./values.ts";
import type { PagemarkBinding, WireFailure, WireQuery, WireReply } from "./wire.ts";

/** Sends queries, and remembers of which state the newest answer was. */
export class Session {
  readonly binding: PagemarkBinding;
  readonly options: D1Options;
  /** What no answer may be older than: a bookmark. */
  bookmark: string | undefined;

  constructor(binding: PagemarkBinding, options: D1Options, bookmark?: string) {
    this.binding = binding;
    this.options = options;
    this.bookmark = bookmark;
  }

  /** Runs queries in one transaction. @throws an error that begins with `D1_ERROR` */
  async run(queries: readonly WireQuery[]): Promise<Rows[]> {
    const reply = await this.send(queries);
    if ("failure" in reply) throw failed(reply.failure);
    return reply.results.map((result) => received(result, this.options));
  }

  /** The same, without throwing for what the database refuses. D1 leaves empty texts out. */
  async send(queries: readonly WireQuery[]): Promise<WireReply> {
    const wanted = queries.filter(({ sql }) => !isEmpty(sql));
    if (wanted.length === 0) return { failure: NOTHING };
    const reply = await this.binding.d1({ queries: wanted, bookmark: this.bookmark });
    if ("bookmark" in reply && (this.bookmark === undefined || this.bookmark < reply.bookmark)) {
      this.bookmark = reply.bookmark;
    }
    return reply;
  }
}

const NOTHING: WireFailure = { message: "No SQL statements detected", code: "STATEMENT_NONE" };

/** Whether there is nothing in it but spaces and comments of a line. What is no text is for the Worker to refuse. */
export function isEmpty(sql: unknown): boolean {
  return typeof sql === "string" && sql.replace(/^\s*--.*/gm, "").trim() === "";
}

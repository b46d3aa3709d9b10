import { fromRows } from "../row/pages.ts";
import { hexOf, literal } from "../row/values.ts";
import type { Answers, Bound, Cell, PageSource, Query, RowTarget } from "../source.ts";
import { D1Api, type D1ApiOptions, wasTurnedAway } from "./api.ts";
import { failureOfWrite, retried } from "./calls.ts";
import type { D1Options } from "./d1.ts";

/** What one statement of a request is answered with. */
interface RawAnswer {
  success?: boolean;
  error?: string;
  results?: { columns: string[]; rows: Cell[][] };
  meta?: { size_after?: number; served_by?: string };
}

/** Quoted text and names, in which a question mark is one; and parameters. */
const PARAMETER = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|\?(\d+)/g;

/**
 * A D1 database at Cloudflare, or of a Pagemark Worker, over D1's HTTP API: for Node and whatever is no Worker with that
 * database bound. It is read by queries, exactly and at one moment, which blocks nobody; see `docs/d1.md`.
 *
 * @example
 * ```ts
 * import { d1Http, folder, pagemark } from "pagemark";
 * const { CLOUDFLARE_ACCOUNT_ID: accountId = "", CLOUDFLARE_API_TOKEN: apiToken = "" } = process.env;
 * const shop = d1Http({ accountId, database: "shop", apiToken });
 * await pagemark(shop, { store: folder("./backups") }).backup();
 * ```
 */
export function d1Http(options: D1ApiOptions & Pick<D1Options, "tracking">): PageSource & RowTarget {
  const api = new D1Api(options);
  const { name } = api;
  return fromRows({
    name,
    carriesBlobs: false,
    carriesReals: false,
    tracking: options.tracking ?? false,
    answerBytes: 1 << 20,
    ask: (queries, signal) => retried(() => ask(api, queries, signal), name, signal),
    async write(statements, signal) {
      const batch = statements.map((sql) => ({ sql }));
      try {
        // What was turned away at the door was not run.
        await retried(() => raw(api, batch, signal), name, signal, wasTurnedAway);
      } catch (error) {
        if (signal?.aborted) throw error;
        throw failureOfWrite(name, (error as Error).cause ?? error);
      }
    },
  });
}

async function ask(api: D1Api, queries: readonly Query[], signal?: AbortSignal): Promise<Answers> {
  const answers = await raw(
    api,
    queries.map(({ sql, values = [] }) => ({ sql: withValues(sql, values) })),
    signal,
  );
  const { size_after: size = 0, served_by: server = "" } = answers[0]?.meta ?? {};
  const rows = answers.map(({ results }) => results?.rows ?? []);
  if (rows.length !== queries.length)
    throw new Error(`${queries.length} statements were answered with ${rows.length} results`);
  // The local one counts its calls in a table of its own.
  return { rows, size, ownChanges: server.startsWith("miniflare") ? 1 : 0 };
}

/** Runs statements as one transaction. */
async function raw(api: D1Api, batch: { sql: string }[], signal?: AbortSignal): Promise<RawAnswer[]> {
  const answers = await api.post<RawAnswer[]>("raw", { batch }, signal);
  const failed = answers.find(({ success }) => success === false);
  if (failed) throw new Error(failed.error ?? "a statement failed");
  return answers;
}

/** The values as part of the SQL: over HTTP, parameters are text. */
function withValues(sql: string, values: readonly Bound[]): string {
  if (values.length === 0) return sql;
  return sql.replaceAll(PARAMETER, (token, number?: string) => {
    const value = number === undefined ? undefined : values[Number(number) - 1];
    return value === undefined ? token : written(value);
  });
}

function written(value: Bound): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0.0" : String(value);
  if (typeof value !== "string") return `X'${hexOf(value)}'`;
  // The text of a statement ends at a NUL. A plus takes the affinity away that a cast has.
  if (value.includes("\0")) return `+CAST(X'${hexOf(new TextEncoder().encode(value))}' AS TEXT)`;
  return literal(value);
}

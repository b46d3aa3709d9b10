// A Worker of an application, bound to real D1 and to Pagemark: makes one call of them on one of the two.
import type { D1Database } from "@cloudflare/workers-types";
import { type D1Options, d1Database, type PagemarkBinding } from "pagemark/client";
import { batches } from "./calls/batches.ts";
import { type Calls, CONTENT, SETUP, TEARDOWN } from "./calls/call.ts";
import { documentation } from "./calls/documentation.ts";
import { errors } from "./calls/errors.ts";
import { statements } from "./calls/statements.ts";
import { values } from "./calls/values.ts";

interface Env {
  REAL: D1Database;
  OURS: PagemarkBinding;
}

export const CALLS: Calls = { ...values, ...statements, ...batches, ...documentation, ...errors };

export default {
  /** `/real` and `/ours` make all calls, or those that `only` names; the answer has what each gave. */
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const only = searchParams.getAll("only");
    const { blobs, integers } = Object.fromEntries(searchParams) as D1Options;
    const options = { blobs, integers };
    const db: D1Database = pathname === "/real" ? env.REAL : d1Database(env.OURS, options);
    const gave: Record<string, unknown> = {};
    let before: string | undefined;
    for (const [name, call] of Object.entries(CALLS)) {
      if (only.length > 0 && !only.includes(name)) continue;
      if (before === undefined || before !== (await content(db))) {
        await db.batch([...TEARDOWN, ...SETUP].map((sql) => db.prepare(sql)));
        before = await content(db);
      }
      gave[name] = await outcome(() => call(db));
    }
    return Response.json(gave);
  },
};

async function content(db: D1Database): Promise<string | undefined> {
  try {
    return JSON.stringify(await db.prepare(CONTENT).first());
  } catch {
    return undefined;
  }
}

async function outcome(action: () => unknown): Promise<unknown> {
  try {
    return { gave: shown(await action()) };
  } catch (error) {
    const { message, cause } = error as Error;
    return { threw: message, ...(cause instanceof Error && { cause: cause.message }) };
  }
}

/** As JSON that tells apart what JSON does not. */
function shown(value: unknown): unknown {
  if (value === undefined) return { undefined: true };
  if (typeof value === "bigint") return { bigint: String(value) };
  if (Object.is(value, -0)) return { number: "-0" };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (value instanceof Uint8Array) return { bytes: Array.from(value) };
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      name === "meta" ? meta(each) : name === "duration" ? typeof each : shown(each),
    ]),
  );
}

/** Without what differs from one run to the next. */
function meta(value: Record<string, unknown>): unknown {
  const { served_by, duration, timings, size_after, ...rest } = value;
  const measured = {
    duration,
    sql_duration_ms: (timings as { sql_duration_ms: unknown }).sql_duration_ms,
    size_after,
  };
  const types = Object.fromEntries(Object.entries(measured).map(([name, each]) => [name, typeof each]));
  return { ...(shown(rest) as object), ...types, served_by: typeof served_by };
}

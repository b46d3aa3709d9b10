// D1's own export: SQL that the service writes, while it answers no queries. It loses what `docs/d1.md` lists.
import { checkOptions, SourceError } from "../../errors/index.ts";
import { sleep } from "../../streams/progress.ts";
import { D1Api, type D1ApiOptions } from "./api.ts";
import { failureOf, retried } from "./calls.ts";

/** What D1 itself exports as SQL. */
export interface D1ExportOptions {
  /** Only these tables. */
  tables?: string[] | undefined;
  noData?: boolean | undefined;
  noSchema?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

interface Polled {
  success: boolean;
  error?: string;
  status?: "active" | "complete" | "error";
  at_bookmark?: string;
  result?: { signed_url?: string };
}

/** The service gives up when it is not asked for 15 s. */
const POLL_MS = 1_000;
/** At the first poll it may know nothing of the export yet. */
const STARTS = 3;
const FORGOTTEN = /not currently exporting/i;

/**
 * The SQL that D1's export writes of a database. Nobody can query it until the export has ended. It is asked for as long
 * as it runs; once nobody asks, as after an abort, the service cancels it.
 *
 * @throws SourceError `SOURCE_BUSY` when another export or import is running
 */
export async function exportD1(
  options: D1ApiOptions,
  more: D1ExportOptions = {},
): Promise<ReadableStream<Uint8Array>> {
  const { tables = [], noData = false, noSchema = false, signal } = checkOptions(more);
  const api = new D1Api(options);
  const dump = { no_schema: noSchema, no_data: noData, tables };
  const url = await finish(api, { output_format: "polling", dump_options: dump }, signal);
  return api.download(url, signal);
}

/** Starts an export, and asks for it until it is done; where the SQL can be had then. */
async function finish(api: D1Api, request: object, signal: AbortSignal | undefined): Promise<string> {
  const { name } = api;
  const ask = (more: object) =>
    retried(() => api.post<Polled>("export", { ...request, ...more }, signal), name, signal);
  let starts = 1;
  let answer = await ask({});
  for (;;) {
    if (answer.success && answer.status === "complete" && answer.result?.signed_url !== undefined)
      return answer.result.signed_url;
    const error = answer.error ?? "";
    if (!answer.success && FORGOTTEN.test(error) && starts++ < STARTS) {
      answer = await ask({});
    } else if (answer.success && answer.status === "active") {
      await sleep(POLL_MS, signal);
      answer = await ask({ current_bookmark: answer.at_bookmark });
    } else {
      const failure = failureOf(name, new Error(error || "the export ended without a file"));
      throw new SourceError(failure.code as `SOURCE_${string}`, failure.message, { name });
    }
  }
}

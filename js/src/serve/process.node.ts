// What the processes run that `serve` starts: SQL on files. A statement that does not end is ended with its process, since
// nothing else stops SQLite's C in Node.
import { usePlatform } from "../core/index.ts";
import { nodePlatform } from "../core/platform.node.ts";
import { PagemarkError } from "../errors/index.ts";
import { type Thrown, thrownOf } from "../errors/thrown.ts";
import { Connections } from "./connection.ts";
import { Import } from "./imports.ts";
import { type QueryRequest, runQueries } from "./queries.ts";

/** What a process can be asked, one thing at a time. */
export type Ask =
  | ({ what: "query"; path: string } & QueryRequest)
  | { what: "close"; path: string }
  | { what: "import"; path: string }
  | { what: "feed"; chunk: Uint8Array }
  | { what: "end" };

/** What it answers. */
export type Told = { result: unknown } | { error: Thrown };

const connections = new Connections();
let importing: Import | undefined;

async function answer(ask: Ask): Promise<unknown> {
  switch (ask.what) {
    case "query":
      return connections.with(ask.path, ask.readonly, (db) => runQueries(db, ask));
    case "close":
      return connections.close(ask.path);
    case "import":
      connections.close(ask.path);
      importing = await Import.begin(ask.path);
      return undefined;
    case "feed":
      return importing?.feed(ask.chunk);
    case "end":
      return importing?.end();
  }
}

usePlatform(nodePlatform);
process.on("message", async (ask: Ask) => {
  try {
    process.send?.({ result: await answer(ask) } satisfies Told);
  } catch (error) {
    importing?.close();
    importing = undefined;
    // biome-ignore lint/suspicious/noConsole: what has no code is a defect, and this is the server's log
    if (!(error instanceof PagemarkError)) console.error(error);
    process.send?.({ error: thrownOf(error) } satisfies Told);
  }
});
// Signals are for the process that started this one, which then says goodbye.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.on("disconnect", () => {
  importing?.close();
  connections.close();
  process.exit();
});
process.send?.("ready");

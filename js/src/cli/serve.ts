import { statSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { type Command, InvalidArgumentError } from "commander";
import { PagemarkError } from "../errors/index.ts";
import { stopOnSignals } from "./interrupt.ts";
import { note, warn } from "./output.ts";
import { writeText } from "./standard-output.ts";
import { helpNote } from "./table.ts";
import { duration, oneMore } from "./values.ts";

interface Options {
  to: string;
  host: string;
  port: number;
  allowHost?: string[];
  allowStore?: string[];
  locality?: string;
  timeout: number;
  json?: boolean;
}

const PORT = 8788;
const LOOPBACK = /^(localhost|127\.[\d.]+|::1)$/;

export function addServe(program: Command): void {
  program
    .command("serve")
    .description("serve the databases in a folder over HTTP, as D1 does: SQL, backups, exports, time travel")
    .argument("<folder>", "the folder with the databases: *.db, *.sqlite, *.sqlite3, *.db3")
    .requiredOption("--to <store>", "where backups go: a folder or a URL such as s3://bucket/prefix")
    .option(
      "--host <address>",
      "where to listen; others than this machine reach it only elsewhere",
      "127.0.0.1",
    )
    .option("--port <port>", "the port; 0 for any that is free", port, PORT)
    .option("--allow-host <name>", "a name that clients call this server by; may be repeated", oneMore)
    .option(
      "--allow-store <store>",
      "a folder or URL below which statements may name stores: BACKUP … TO; may be repeated",
      oneMore,
    )
    .option("--timeout <time>", "how long the SQL of a request may take", duration, duration("30s"))
    .addHelpText(
      "after",
      helpNote(
        "The token is PAGEMARK_TOKEN; without it one is made at the first start, printed, and kept beside the databases. Whoever has PAGEMARK_READ_TOKEN may only read.",
      ),
    )
    .action(async (folder: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { to, host, port, timeout, json = false } = options;
      if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
        throw new PagemarkError(
          "USAGE",
          `${folder}: is no folder; serve takes the one that the databases are in`,
        );
      if (!LOOPBACK.test(host))
        warn(
          `${host} may be reached from other machines, and HTTP hides nothing: put a proxy with TLS before it`,
        );
      // What requests leave is cleared away while it is little: V8 would let tens of megabytes of it grow first.
      if (process.versions.bun === undefined) setFlagsFromString("--heap-growing-percent=25");
      const stopped = new Promise<void>((resolve) => stopOnSignals(() => resolve()));
      const { serve } = await import("../serve/server.ts");
      const serving = await serve({
        ...{ folder, to, locality: options.locality, host, port, timeoutMs: timeout },
        ...{ allowHosts: options.allowHost ?? [], allowStores: options.allowStore ?? [] },
        token: process.env.PAGEMARK_TOKEN || undefined,
        readToken: process.env.PAGEMARK_READ_TOKEN || undefined,
        log: (line) => note(line),
      });
      const { url, token, tokenFile, isNewToken } = serving;
      if (json) {
        writeText(`${JSON.stringify({ url, ...(tokenFile && { token_file: tokenFile }) })}\n`);
      } else {
        writeText(`serving ${folder} at ${url}/ (clients: ${url}/client/v4)\n`);
        if (isNewToken) writeText(`token: ${token}\n`);
        if (tokenFile) writeText(`the token is kept in ${tokenFile}\n`);
      }
      await stopped;
      await serving.close();
    });
}

function port(text: string): number {
  const number = Number(text);
  if (/^\d{1,5}$/.test(text) && number <= 65_535) return number;
  throw new InvalidArgumentError("it must be a port: 0 to 65535");
}

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { PagemarkError } from "../errors/index.ts";
import { withoutSecrets } from "../places/secrets.ts";
import { toolsOf } from "./mcp-tools.ts";
import { knownError } from "./output.ts";

interface Options {
  from: string;
  root: string;
  readOnly?: boolean;
}

/** What a model is told before anything else. */
const INSTRUCTIONS = [
  "Backups of SQLite databases. list, info, verify, diff, preview and dump change nothing.",
  "restore writes a new file, or replaces one with the token that a preview of the same restore gave.",
].join(" ");

export function addMcp(program: Command, signal: AbortSignal): void {
  program
    .command("mcp")
    .description("serve backups to a model by the Model Context Protocol, over standard input and output")
    .requiredOption("--from <store>", "where the backups are: a folder or a URL")
    .option("--root <folder>", "restores go to files in this folder only", ".")
    .option("--read-only", "restore nothing at all")
    .action(async (_options, command: Command) => {
      const { from, root, readOnly = false } = command.optsWithGlobals<Options>();
      const { serve } = await import("./mcp-server.ts");
      const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
      const tools = toolsOf({ from, root: resolve(root) });
      const served = { version, instructions: INSTRUCTIONS, wordsOf, signal };
      await serve(readOnly ? tools.filter((tool) => tool.readOnly) : tools, served);
    });
}

function wordsOf(cause: unknown): string {
  const error = knownError(cause);
  const code = error instanceof PagemarkError ? ` [${error.code}]` : "";
  return withoutSecrets(`${error instanceof Error ? error.message : error}${code}`);
}

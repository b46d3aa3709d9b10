import type { Command } from "commander";
import { type Audit, type AuditProblem, audit } from "../stores/localities/audit.ts";
import { bytes, counted, EXIT, print, table } from "./output.ts";
import { openStore, refuseMissing } from "./places.ts";
import { layOutText } from "./table.ts";
import { oneMore } from "./values.ts";

interface Options {
  from: string;
  forbid?: string[];
  json?: boolean;
}

/** The most keys that are named for each kind of problem. */
const MOST_KEYS = 5;

const SAID: Readonly<Record<AuditProblem["kind"], string>> = {
  lost: "lost: accounted for, and not there",
  moved: "moved: not where it was written to",
  forbidden: "forbidden: more than ids, where nothing else may be",
  content: "content: an account that is more than ids, or not in the default store",
  foreign: "foreign: of no database",
  unaccounted: "unaccounted: a backup that the default store does not know of",
};

export function addAudit(program: Command, signal: AbortSignal): void {
  program
    .command("audit")
    .description(
      "show which of several stores holds what, and that nothing of a database is outside its locality but ids",
    )
    .requiredOption("--from <store>", "one of the stores, with its ?PAGEMARK_LOCALITY=; give all of them")
    .option("--forbid <locality>", "fail when there is more than ids in it; may be repeated", oneMore)
    .action(async (_options, command: Command) => {
      const { from, forbid = [], json = false } = command.optsWithGlobals<Options>();
      await refuseMissing(from);
      const result = await audit(openStore(from), { forbid, signal });
      const { problems } = result;
      const wrong = problems.filter(({ kind }) => kind !== "unaccounted");
      print(json, { ok: wrong.length === 0, ...result }, () => text(result, wrong.length === 0));
      if (wrong.length > 0) process.exitCode = EXIT.failed;
      else if (problems.length > 0) process.exitCode = EXIT.warnings;
    });
}

function text({ stores, problems }: Audit, ok: boolean): string {
  const rows = stores.map(({ locality, databases, objects, bytes: size, accounts }) => [
    locality,
    databases.join(", ") || "-",
    counted(objects),
    bytes(size),
    counted(accounts),
  ]);
  const right = Array.from({ length: 3 }, () => "right" as const);
  const found = problems.map(({ kind, locality, keys }) => {
    const more = keys.length > MOST_KEYS ? [`and ${counted(keys.length - MOST_KEYS)} more`] : [];
    return layOutText(`${locality}: ${SAID[kind]}: ${[...keys.slice(0, MOST_KEYS), ...more].join(", ")}`);
  });
  return [
    table(["locality", "databases", "objects", "stored", "accounts"], rows, ["left", "left", ...right]),
    ...found,
    ...(ok ? ["nothing of a database is outside its locality but ids"] : []),
  ].join("\n");
}

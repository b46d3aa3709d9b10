import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { CommanderError } from "commander";
import { PagemarkError } from "../errors/index.ts";
import { withoutSecrets } from "../places/secrets.ts";
import { CommandLine, isOn, refuseUnclear } from "./environment.ts";
import { helpAsked, helpLayout, operands } from "./help.ts";
import { heedSignals, interrupt, leaveIfAsked } from "./interrupt.ts";
import { EXIT, exitOf, printError, setQuiet } from "./output.ts";
import { outputFailed } from "./standard-output.ts";
import { helpNote } from "./table.ts";
import { isAge } from "./values.ts";

// Bun has another engine.
if (process.versions.bun === undefined) {
  // V8 would let its space for new objects grow to many times what these commands need.
  setFlagsFromString("--semi-space-growth-factor=1");
  // It would optimise the parser of the schema, for 100 ms and 20 MiB, after a few dozen columns.
  setFlagsFromString("--wasm-tiering-budget=200000000");
}

heedSignals();
// Help and the like, which others print.
process.stdout.on("error", (error: unknown) => fail(() => outputFailed(error)));
// Whoever reads errors may leave, too.
process.stderr.on("error", () => {});
process.on("uncaughtException", (error) => {
  // What nobody waited for may fail, too, when the command is asked to end. It is cleaning up.
  if (interrupt.aborted) return;
  fail(() => {
    throw error;
  });
});

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

const program = new CommandLine("pagemark")
  .version(isVersionAsked() ? `${version} (core.wasm ${coreDigest()})` : version)
  .description(
    "Backups of SQLite databases: page-level, incremental, provable. Restores with stock Litestream, too.",
  )
  .option("--json", "print for programs: one JSON value on stdout, errors as JSON on stderr")
  .option("--quiet", "print errors, warnings and what was asked for, and nothing of what was done")
  .option(
    "--locality <tiers>",
    "where this runs, such as region=eu,az=1: which of several stores is written to",
  )
  .option("--from-locality <name>", "read backups from this one of several stores only")
  .hook("preAction", async (_program, command) => {
    const { useLocalities } = await import("./places.ts");
    refuseUnclear();
    useLocalities(command.optsWithGlobals());
    setQuiet(command.optsWithGlobals().quiet === true);
  })
  .configureHelp(helpLayout)
  .addHelpText(
    "after",
    helpNote(
      "Every option can be given by the environment: PAGEMARK_TO for --to (and --from), PAGEMARK_MAX_RATE for --max-rate.",
    ),
  )
  // Not `program.opts()`: what is wrong may stand before the option.
  .configureOutput({
    outputError: (text, write) => (wantsJson() ? printUsageError(text) : write(withoutSecrets(text))),
  })
  .exitOverride();
/** In the order of the help. Only the command that is run is loaded: all of them take as long as a small backup. */
const commands = {
  backup: async () => (await import("./backup.ts")).addBackup,
  watch: async () => (await import("./watch.ts")).addWatch,
  run: async () => (await import("./run.ts")).addRun,
  serve: async () => (await import("./serve.ts")).addServe,
  status: async () => (await import("./status.ts")).addStatus,
  list: async () => (await import("./list.ts")).addList,
  restore: async () => (await import("./restore.ts")).addRestore,
  download: async () => (await import("./download.ts")).addDownload,
  dump: async () => (await import("./dump.ts")).addDump,
  import: async () => (await import("./import.ts")).addImport,
  show: async () => (await import("./show.ts")).addShow,
  open: async () => (await import("./open.ts")).addOpen,
  sql: async () => (await import("./sql.ts")).addSql,
  diff: async () => (await import("./diff.ts")).addDiff,
  verify: async () => (await import("./verify.ts")).addVerify,
  check: async () => (await import("./check.ts")).addCheck,
  prune: async () => (await import("./prune.ts")).addPrune,
  delete: async () => (await import("./prune.ts")).addDelete,
  key: async () => (await import("./key.ts")).addKeyCommands,
  audit: async () => (await import("./audit.ts")).addAudit,
  checkpoint: async () => (await import("./checkpoint.ts")).addCheckpoint,
  copy: async () => (await import("./copy.ts")).addCopy,
  mcp: async () => (await import("./mcp.ts")).addMcp,
  d1: async () => (await import("./d1.ts")).addD1,
  compact: async () => (await import("./compact.ts")).addCompact,
  completion: async () => (await import("./shell.ts")).addCompletion,
  man: async () => (await import("./shell.ts")).addMan,
};
// An age such as -1d is no option: with a space before it Commander takes it for what it is.
const args = process.argv.slice(2).map((arg) => (isAge(arg) ? ` ${arg}` : arg));
const [first = ""] = operands(program, args);
for (const [name, load] of Object.entries(commands)) {
  // For help, and to say which commands there are, it takes all.
  if (first === name || !Object.hasOwn(commands, first) || first === "completion" || first === "man")
    (await load())(program, interrupt);
}

try {
  await program.parseAsync(helpAsked(program, args) ?? args, { from: "user" });
} catch (error) {
  // Whatever else went wrong when it was asked to stop.
  const saysWhatIsLeft = error instanceof PagemarkError && error.code === "CANCELED";
  process.exitCode = exitCode(interrupt.aborted && !saysWhatIsLeft ? interrupt.reason : error);
  leaveIfAsked();
}

function isVersionAsked(): boolean {
  return process.argv.includes("--version") || process.argv.includes("-V");
}

/** The first digits of the SHA-256 of the wasm, by which a build is told from others. */
function coreDigest(): string {
  const bytes = readFileSync(new URL("../core.wasm", import.meta.url));
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** Where nobody waits for what comes of it: prints the error, and ends. */
function fail(why: () => never): void {
  try {
    why();
  } catch (error) {
    process.exit(exitCode(error));
  }
}

function wantsJson(): boolean {
  return process.argv.includes("--json") || isOn("PAGEMARK_JSON");
}

function printUsageError(text: string): void {
  printError(new PagemarkError("USAGE", text.trim().replace(/^error: /, "")), true);
}

function exitCode(error: unknown): number {
  // Commander has printed its own already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  printError(error, program.opts().json === true);
  return error instanceof PagemarkError ? exitOf(error.code) : EXIT.failed;
}

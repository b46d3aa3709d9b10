import type { Command } from "commander";
import type { VerifiedAt } from "../backups/verified.ts";
import type { Backup } from "../catalog/folder.ts";
import { Agenda } from "../vault/agenda.ts";
import { CONFIG, type Planned, readConfig } from "./config.ts";
import { ago, bytes, EXIT, exitAlso, note, print, printable, table, verifiedJson } from "./output.ts";
import { openBackups } from "./places.ts";
import { timeText } from "./values.ts";

interface Options {
  config: string;
  utc?: boolean;
  json?: boolean;
}

interface Status {
  /** Of the database in its store; or a pattern that no file fits. */
  name: string;
  newest?: Backup;
  /** When one of its backups was verified last. */
  verified?: VerifiedAt;
  /** When the next one is to be made, in milliseconds since 1970. */
  nextMs: number;
  /** `late`: the newest is too old; `none`: there is none; `failed`: the store could not be asked. */
  state: "ok" | "late" | "none" | "failed";
  error?: { code: string; message: string };
}

export function addStatus(program: Command, signal: AbortSignal): void {
  program
    .command("status")
    .description(
      "say of each database of a configuration when it was backed up; exit code 1 when that is too long ago",
    )
    .option("--config <file>", "the file: .toml, or .json", CONFIG)
    .option("--utc", "show times in UTC instead of this machine's zone")
    .action(async (_options, command: Command) => {
      const { config, utc, json = false } = command.optsWithGlobals<Options>();
      const all: Status[] = [];
      // Where a folder is missing, nothing is backed up any more: whoever watches must hear of that.
      const onNone = (pattern: string) => {
        all.push({ name: pattern, nextMs: Number.NaN, state: "none" });
        note(`no file fits ${pattern}`);
      };
      for (const planned of await readConfig(config, onNone)) all.push(await statusOf(planned, signal));
      print(json, all.map(statusJson), () => text(all, utc));
      if (all.some(({ state }) => state !== "ok")) process.exitCode = EXIT.failed;
      for (const { error } of all) if (error) exitAlso(error);
    });
}

async function statusOf(planned: Planned, signal: AbortSignal): Promise<Status> {
  const agenda = new Agenda(planned);
  const { name } = planned;
  const now = Date.now();
  try {
    const backups = await openBackups(planned.name, planned.store);
    // What `watch` stored after its backup counts, too.
    const newest = await backups.state("latest", { signal });
    if (!newest) return { name, nextMs: now, state: "none" };
    const isLate = now - Date.parse(newest.createdAt) > agenda.maxAgeMs;
    const verified = lastOf([...(await backups.verified({ signal })).values()]);
    return { name, newest, verified, nextMs: agenda.due(newest, now).atMs, state: isLate ? "late" : "ok" };
  } catch (error) {
    const { code = "INTERNAL", message = String(error) } = error as { code?: string; message?: string };
    if (code === "BACKUP_NONE") return { name, nextMs: now, state: "none" };
    signal.throwIfAborted();
    return { name, nextMs: now, state: "failed", error: { code, message } };
  }
}

function lastOf(all: VerifiedAt[]): VerifiedAt {
  const last = (how: keyof VerifiedAt) =>
    all
      .flatMap((each) => each[how] ?? [])
      .sort()
      .at(-1);
  const [verified, sampled] = [last("verified"), last("sampled")];
  return { ...(verified !== undefined && { verified }), ...(sampled !== undefined && { sampled }) };
}

function statusJson({ name, newest, verified, nextMs, state, error }: Status) {
  return {
    name,
    state,
    last: newest?.createdAt ?? null,
    age_seconds: newest ? Math.round((Date.now() - Date.parse(newest.createdAt)) / 1000) : null,
    size: newest?.size ?? null,
    ...verifiedJson(verified),
    next: Number.isFinite(nextMs) ? new Date(nextMs).toISOString() : null,
    ...(error && { error }),
  };
}

function text(all: Status[], utc: boolean | undefined): string {
  const rows = all.map(({ name, newest, verified, nextMs, state }) => [
    printable(name),
    state,
    newest ? ago(newest.createdAt) : "never",
    newest ? bytes(newest.size) : "-",
    verifiedText(verified),
    Number.isFinite(nextMs) ? timeText(nextMs, utc) : "-",
  ]);
  const errors = all.flatMap(({ name, error }) => (error ? [printable(`${name}: ${error.message}`)] : []));
  const align = ["left", "left", "left", "right", "left", "left"] as const;
  return [
    table(["name", "state", "last backup", "size", "verified", "next"], rows, [...align]),
    ...errors,
  ].join("\n");
}

function verifiedText({ verified, sampled }: VerifiedAt = {}): string {
  if (verified !== undefined) return ago(verified);
  return sampled === undefined ? "never" : `${ago(sampled)}, in part`;
}

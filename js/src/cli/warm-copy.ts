// A warm copy: a file that is made as new as what is stored, again and again.
import { readFile, stat } from "node:fs/promises";
import type { Backups } from "../backups/backups.ts";
import { pagemark } from "../backups/database.ts";
import type { Backup } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import { replaceFile } from "../sources/file/replace.ts";
import type { PageSource } from "../sources/source.ts";
import { pause } from "../streams/progress.ts";
import { stopOnSignals } from "./interrupt.ts";
import { bytes, note, printError, say } from "./output.ts";
import { openBackups, openSource, openStore } from "./places.ts";
import { writeText } from "./standard-output.ts";
import { checkTarget } from "./target.ts";
import { timeText } from "./values.ts";

export interface FollowOptions {
  from: string;
  /** In milliseconds. */
  every: number;
  force?: boolean;
  json?: boolean;
}

const MOST_RETRY_MS = 30_000;

/**
 * Keeps `output` as new as what is stored of `name`, until a signal comes. Others may read the file meanwhile, but not write.
 * Once there is a copy, a store that cannot be reached or a reader that keeps the file is told and tried again.
 */
export async function follow(name: string, output: string, options: FollowOptions): Promise<void> {
  const { from, every, json = false } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  stopOnSignals(() => stopping.abort());
  let reached = await reachedBy(output, name);
  const force = options.force === true || reached !== undefined;
  await checkTarget(output, { force, json, from, binary: "a database" });
  const backups = await openBackups(name, from);
  for (let failures = 0; !signal.aborted; ) {
    let waitMs = every;
    try {
      const state = await stateOf(backups, signal);
      if (state.bookmark !== reached) {
        // The copy that it replaces is of the same backups: only what somebody said may go is kept.
        const safety = options.force === true && reached === undefined;
        const source = remembering(output, name, { bookmark: state.bookmark, replaces: reached });
        const database = pagemark(source, { store: openStore(from), name });
        await database.restore({ at: state.txid, safety, signal });
        reached = state.bookmark;
        tell(name, output, state, json);
      }
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (reached === undefined) throw error;
      waitMs = Math.min(MOST_RETRY_MS, Math.max(1000, every) * 2 ** failures++);
      printError(error, json);
      note(`${output}: tried again in ${Math.ceil(waitMs / 1000)} s`);
    }
    await pause(waitMs, signal);
  }
}

/** @throws PagemarkError `USAGE` for a folder that Litestream wrote */
async function stateOf(backups: Backups, signal: AbortSignal): Promise<Backup> {
  const state = await backups.state(undefined, { signal });
  if (state) return state;
  throw new PagemarkError("USAGE", "Litestream wrote these backups: `litestream restore -f` follows them");
}

/** Where it says which state a copy is of, and that nobody else has put the file there. */
const SIDECAR = "-pagemark";

interface Remembered {
  name: string;
  /** The new copy, and the one it replaces: whichever of both a kill leaves is known. */
  copies: { bookmark: string; file: string }[];
}

/** The file at `output`, which is remembered as a copy of `name` before it has that name. */
function remembering(
  output: string,
  name: string,
  { bookmark, replaces }: { bookmark: string; replaces: string | undefined },
): PageSource {
  const source = openSource(output);
  const remember = async (written: string) => {
    const copies = [{ bookmark, file: await identityOf(written) }];
    if (replaces !== undefined) copies.push({ bookmark: replaces, file: await identityOf(output) });
    const remembered: Remembered = { name, copies };
    await replaceFile(output + SIDECAR, new Blob([`${JSON.stringify(remembered)}\n`]).stream(), {
      isDatabase: false,
    });
  };
  return {
    name: source.name,
    pin: (options) => source.pin(options),
    replace: async (body, options) => {
      await replaceFile(output, body, { ...options, onWritten: remember });
    },
  };
}

/** The bookmark of the state that a copy is of which an earlier run made; nothing where somebody else made the file. */
async function reachedBy(output: string, name: string): Promise<string | undefined> {
  try {
    const remembered: Remembered = JSON.parse(await readFile(output + SIDECAR, "utf8"));
    const file = await identityOf(output);
    const copy = remembered.copies.find((copy) => copy.file === file);
    return remembered.name === name && typeof copy?.bookmark === "string" ? copy.bookmark : undefined;
  } catch {
    return undefined;
  }
}

/** With its time, since a system gives the number of a deleted file to the next one. */
async function identityOf(path: string): Promise<string> {
  const { dev, ino, mtimeNs } = await stat(path, { bigint: true });
  return `${dev}:${ino}:${mtimeNs}`;
}

function tell(name: string, output: string, state: Backup, json: boolean): void {
  const { txid, bookmark, createdAt, size } = state;
  const event = { event: "restored", name, database: output, txid, bookmark, created_at: createdAt };
  if (json) writeText(`${JSON.stringify(event)}\n`);
  else say(`${output}: the state of ${timeText(createdAt)} (${bytes(size)})`);
}

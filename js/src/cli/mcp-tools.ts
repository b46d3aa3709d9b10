// What a model may do by `pagemark mcp`: look at anything, and write only what is new or was previewed.
import { randomUUID } from "node:crypto";
import { mkdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { pagemark } from "../backups/database.ts";
import { databasesIn } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import type { Field, Tool } from "./mcp-server.ts";
import { backupJson, gathering } from "./output.ts";
import { openBackups, openSource, openStore, withBackups } from "./places.ts";
import { previewJson } from "./preview.ts";
import { checkTarget, exists } from "./target.ts";
import { momentText } from "./values.ts";

interface Place {
  from: string;
  /** Files are written below it only. */
  root: string;
}

type Args = Readonly<Record<string, unknown>>;

/** How much SQL an answer has, in bytes. */
const MOST_SQL = 200_000;
/** How long a preview's token is good for, in milliseconds. */
const TOKEN_MS = 10 * 60_000;

const NAME: Field = { type: "text", description: "the database's name in the store" };
const MOMENT =
  "a backup's id, a bookmark, a TXID, a time such as 2026-11-20T10:00:00Z, or an age such as -1h";
const AT: Field = { type: "text", description: `${MOMENT}; the newest unless given`, optional: true };
const FILE: Field = { type: "text", description: "the file that is restored, a path in the server's folder" };

/** A preview of a restore that may be done. */
interface Previewed {
  name: string;
  /** Bookmark of what would be restored. */
  bookmark: string;
  path: string;
  /** What the file was then. */
  state: string;
  untilMs: number;
}

export function toolsOf(place: Place): Tool[] {
  const { from } = place;
  const previews = new Map<string, Previewed>();
  /** Ends when the last restore has: two at once could both find that a file is not there. */
  let restored: Promise<unknown> = Promise.resolve();
  const database = (name: string, path: string) =>
    pagemark(openSource(path), { store: openStore(from), name });
  const looking = (
    name: string,
    title: string,
    description: string,
    fields: Tool["fields"],
    run: Tool["run"],
  ) => {
    return { name, title, description, readOnly: true, fields, run };
  };
  return [
    looking(
      "list",
      "List backups",
      "Lists the backups of a database, newest first; without a name, the databases of the store.",
      { name: { ...NAME, optional: true } },
      async (args, signal) => {
        if (args.name !== undefined) {
          const name = text(args, "name");
          const backups = await openBackups(name, from);
          return (await backups.list({ signal })).map(backupJson);
        }
        return (await databasesIn(openStore(from), { signal })).map(
          ({ name, backups, newest, storedSize }) => {
            return { name, backups, stored_size: storedSize, ...(newest && { newest: backupJson(newest) }) };
          },
        );
      },
    ),
    looking(
      "info",
      "Show a backup",
      "Shows what is in a backup, and what it is made of.",
      { name: NAME, at: AT },
      async (args, signal) => {
        const { warnings, onWarning } = gathering();
        const shown = await ofName(from, args, async (name) =>
          (await openBackups(name, from)).show(moment(args), { signal, onWarning }),
        );
        const tables = shown.tables.map(({ name }) => name);
        return { ...backupJson(shown.backup), chain: shown.chain.map(backupJson), tables, warnings };
      },
    ),
    looking(
      "verify",
      "Verify backups",
      "Reads every object of every backup against its digest, and puts one backup together. Takes long for large ones.",
      { name: NAME, at: AT },
      async (args, signal) => {
        const at = moment(args);
        const result = await ofName(from, args, async (name) =>
          (await openBackups(name, from)).verify({ signal, ...(at !== undefined && { at }) }),
        );
        const { sound, problems, bytes } = result;
        return { ok: problems.length === 0, sound: sound.map(backupJson), problems, bytes_read: bytes };
      },
    ),
    looking(
      "diff",
      "Compare two backups",
      "Tells what happened between two backups: tables, and rows added, removed and changed.",
      { name: NAME, since: { type: "text", description: `the earlier one: ${MOMENT}` }, until: AT },
      async (args, signal) => {
        const until = optional(args, "until");
        const { warnings, onWarning } = gathering();
        const found = await ofName(from, args, async (name) =>
          (await openBackups(name, from)).diff(momentText(text(args, "since")), until && momentText(until), {
            signal,
            onWarning,
          }),
        );
        return { from: backupJson(found.from), to: backupJson(found.to), tables: found.tables, warnings };
      },
    ),
    looking(
      "dump",
      "Read a backup as SQL",
      `Gives a backup, or some of its tables, as SQL; at most ${MOST_SQL} bytes of it.`,
      {
        name: NAME,
        at: AT,
        tables: { type: "texts", description: "only these; all unless given", optional: true },
        no_data: { type: "flag", description: "without rows", optional: true },
        no_schema: { type: "flag", description: "without definitions", optional: true },
      },
      async (args, signal) => {
        const tables = args.tables as string[] | undefined;
        const options = { noData: args.no_data === true, noSchema: args.no_schema === true, signal };
        const sql = await ofName(from, args, async (name) =>
          (await openBackups(name, from)).dump(moment(args), { ...options, ...(tables && { tables }) }),
        );
        return beginning(sql);
      },
    ),
    looking(
      "preview",
      "Preview a restore",
      "Tells what a restore would change in an existing file, and gives a token with which `restore` may replace it.",
      { name: NAME, at: AT, file: FILE },
      async (args, signal) => {
        const path = await fileIn(place, text(args, "file"));
        const at = moment(args);
        const state = await stateOf(path);
        const { warnings, onWarning } = gathering();
        const preview = await ofName(from, args, (name) =>
          database(name, path).preview({ signal, onWarning, ...(at !== undefined && { at }) }),
        );
        const token = randomUUID();
        const { backup } = preview;
        if (backup !== undefined)
          previews.set(token, {
            name: text(args, "name"),
            bookmark: backup.bookmark,
            path,
            state,
            untilMs: Date.now() + TOKEN_MS,
          });
        return { ...previewJson(path, preview), ...(backup && { token }), warnings };
      },
    ),
    {
      name: "restore",
      title: "Restore a backup to a file",
      description:
        "Writes a backup to a new file. To replace an existing file, give the token of a preview of the same restore; the file is backed up first.",
      readOnly: false,
      fields: {
        name: NAME,
        at: AT,
        file: FILE,
        token: {
          type: "text",
          description: "what `preview` gave; needed where the file exists",
          optional: true,
        },
      },
      run: (args, signal) => {
        const result = restored.then(() => restore(args, signal));
        restored = result.catch(() => undefined);
        return result;
      },
    },
  ];

  async function restore(args: Args, signal: AbortSignal): Promise<unknown> {
    const path = await fileIn(place, text(args, "file"));
    const name = text(args, "name");
    signal.throwIfAborted();
    const isThere = await exists(path);
    const wanted = moment(args);
    const at = isThere ? await permitted(previews, optional(args, "token"), name, path) : wanted;
    if (isThere && wanted !== undefined && (await database(name, path).bookmark(wanted)) !== at)
      throw unpermitted(path, "the token is of another backup");
    await mkdir(dirname(path), { recursive: true });
    await checkTarget(path, { force: isThere, json: true, from });
    const { warnings, onWarning } = gathering();
    const { backup, undo, note } = await withBackups(name, from, () =>
      database(name, path).restore({ signal, onWarning, ...(at !== undefined && { at }) }),
    );
    return {
      file: path,
      ...(backup && { backup: backupJson(backup) }),
      ...(undo && { undo }),
      ...(note && { note }),
      warnings,
    };
  }
}

/** The bookmark that a token permits to restore over a file; a token is good once. */
async function permitted(
  previews: Map<string, Previewed>,
  token = "",
  name: string,
  path: string,
): Promise<string> {
  const previewed = previews.get(token);
  previews.delete(token);
  if (previewed === undefined)
    throw unpermitted(path, token === "" ? "no token was given" : "the token is not known, or was used");
  if (previewed.untilMs < Date.now()) throw unpermitted(path, "the token is too old");
  if (previewed.name !== name || previewed.path !== path)
    throw unpermitted(path, "the token is of another restore");
  if (previewed.state !== (await stateOf(path))) throw unpermitted(path, "it changed since the preview");
  return previewed.bookmark;
}

function unpermitted(path: string, why: string): PagemarkError {
  const message = `${path} exists, and ${why}; nothing was changed. Call preview with this name, moment and file, show what it says to whoever decides, and give its token`;
  return new PagemarkError("TARGET_EXISTS", message, { name: path });
}

/** Would hide what a file is called, or turn it round, where somebody reads it; half a character is stored as another one. */
const HIDING = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** What tells whether a file, or its WAL, was written meanwhile. */
async function stateOf(path: string): Promise<string> {
  const states = ["", "-wal", "-journal"].map(async (ending) => {
    const found = await stat(path + ending, { bigint: true }).catch(() => undefined);
    return found === undefined ? "-" : `${found.ino}:${found.size}:${found.mtimeNs}`;
  });
  return (await Promise.all(states)).join(" ");
}

/** The whole path of a file below the root. Links out of it are followed, and refused. */
async function fileIn({ root }: Place, file: string): Promise<string> {
  if (HIDING.test(file)) {
    const message = `${JSON.stringify(file)}: a file's name may have no invisible or control characters`;
    throw new PagemarkError("USAGE", message, { name: file });
  }
  const path = resolve(root, file);
  const [from, folder] = [await nearest(root), await nearest(dirname(path))];
  const below = relative(from, join(folder, basename(path)));
  const isBelow = below !== "" && below !== ".." && !below.startsWith(`..${sep}`) && !isAbsolute(below);
  const target = await realpath(path).catch(() => undefined);
  const isLink = target !== undefined && target !== join(folder, basename(path));
  if (isBelow && !isLink) return path;
  throw new PagemarkError("USAGE", `${file}: files are restored in ${root} only; give a path in it`, {
    name: file,
  });
}

/** The real path of a folder, or of the nearest above it that exists, and the rest. */
async function nearest(folder: string): Promise<string> {
  const found = await realpath(folder).catch(() => undefined);
  if (found !== undefined || dirname(folder) === folder) return found ?? folder;
  return join(await nearest(dirname(folder)), basename(folder));
}

function ofName<T>(from: string, args: Args, work: (name: string) => Promise<T>): Promise<T> {
  const name = text(args, "name");
  return withBackups(name, from, () => work(name));
}

async function beginning(sql: ReadableStream<Uint8Array>): Promise<{ sql: string; complete: boolean }> {
  const decoder = new TextDecoder();
  let [found, size] = ["", 0];
  for await (const chunk of sql as unknown as AsyncIterable<Uint8Array>) {
    const rest = chunk.subarray(0, MOST_SQL - size);
    found += decoder.decode(rest, { stream: true });
    size += chunk.length;
    if (size > MOST_SQL) return { sql: found, complete: false };
  }
  return { sql: found + decoder.decode(), complete: true };
}

function moment(args: Args): string | undefined {
  const at = optional(args, "at");
  return at === undefined ? undefined : momentText(at);
}

function optional(args: Args, name: string): string | undefined {
  const value = args[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function text(args: Args, name: string): string {
  const value = optional(args, name);
  if (value === undefined) throw new PagemarkError("USAGE", `${name} is missing`);
  return value;
}

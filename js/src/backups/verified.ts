// When backups were verified: noted down in the store, beside the records, by whoever may write there.
import { ObjectExistsError } from "../errors/index.ts";
import type { Store } from "../stores/store.ts";
import { everyObject } from "../stores/store-list.ts";
import { collect } from "../streams/streams.ts";
import type { Place } from "./removal.ts";

/** When a backup was verified, RFC 3339. */
export interface VerifiedAt {
  /** All that it is made of was read. */
  verified?: string;
  /** All of it was there, and a part of it was read. */
  sampled?: string;
}

/** Backups that are remembered, the newest verifications first. */
const MOST = 2000;
const MOST_BYTES = 1 << 20;

/** Notes down that these backups were verified. The newest note has it all; what it replaces is deleted. */
export async function noteVerified(
  { store, folder }: Place,
  ids: readonly string[],
  how: keyof VerifiedAt,
  now: number,
): Promise<void> {
  const notes = await notesIn(store, folder);
  const known = await newest(store, notes);
  const at = new Date(now).toISOString();
  for (const id of ids) {
    const before = known.get(id);
    known.delete(id);
    known.set(id, { ...before, [how]: at });
  }
  const backups = Object.fromEntries([...known].slice(-MOST));
  const text = `${JSON.stringify({ version: 1, backups })}\n`;
  const key = `${prefixOf(folder)}${String(now).padStart(16, "0")}.json`;
  try {
    await store.put(key, new TextEncoder().encode(text));
  } catch (error) {
    // Another verification ended in this millisecond.
    if (!(error instanceof ObjectExistsError)) throw error;
  }
  for (const note of notes) if (note !== key) await store.delete(note);
}

/** When each backup was verified, by id; those that never were are missing. */
export async function verifiedIn(
  store: Store,
  folder: string,
  signal?: AbortSignal,
): Promise<Map<string, VerifiedAt>> {
  return newest(store, await notesIn(store, folder, signal), signal);
}

function prefixOf(folder: string): string {
  return `${folder}/pagemark/verified-`;
}

async function notesIn(store: Store, folder: string, signal?: AbortSignal): Promise<string[]> {
  return (await everyObject(store, prefixOf(folder), { signal })).map(({ key }) => key);
}

/** What the newest note says that can be read: no backup rests on it. */
async function newest(
  store: Store,
  notes: readonly string[],
  signal?: AbortSignal,
): Promise<Map<string, VerifiedAt>> {
  for (const key of notes.toReversed()) {
    try {
      const said = JSON.parse(
        new TextDecoder().decode(await collect(await store.get(key, { signal }), MOST_BYTES)),
      );
      if (said.version === 1)
        return new Map(Object.entries(said.backups).map(([id, at]) => [id, timesIn(at)]));
    } catch {
      // Damaged, or replaced meanwhile.
      signal?.throwIfAborted();
    }
  }
  return new Map();
}

/** What of a note's entry is a time. */
function timesIn(entry: unknown): VerifiedAt {
  const times = Object.entries(entry ?? {}).filter(([, time]) => !Number.isNaN(Date.parse(String(time))));
  return Object.fromEntries(times.map(([how, time]) => [how, new Date(time).toISOString()]));
}

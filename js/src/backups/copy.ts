// Backups from one store to another, as they are: what is missing there, files before records, proved on the way.
import { databasesIn, Folder } from "../catalog/folder.ts";
import { core, naming, sha256 } from "../core/index.ts";
import { checkHas, checkOptions, DamageError, ObjectExistsError, PagemarkError } from "../errors/index.ts";
import type { StoredFile } from "../objects/object-reader.ts";
import type { Store, StoredObject } from "../stores/store.ts";
import { everyObject } from "../stores/store-list.ts";
import type { JobOptions } from "../streams/progress.ts";
import { bytesOf, collect } from "../streams/streams.ts";

/** What came of copying a database's backups. */
export interface Copied {
  name: string;
  /** Backups that were not there before. */
  backups: number;
  /** Objects that were copied, and their size in bytes. */
  objects: number;
  bytes: number;
  /** Objects that were there. */
  present: number;
}

/** Files that are copied side by side. */
const LANES = 4;
/** What is shorter is put in one piece, in bytes. */
const SMALL = 1 << 20;

/**
 * Copies the backups of a database, or of all, from one store to another: what is there already stays and is not read again, so
 * a copy that was interrupted goes on, and a later one copies what is new. Every object is compared with its digest on the way,
 * and a backup is listed only when all of it is there. LTX files get the names of the other store's layout, so that Litestream,
 * too, finds them.
 *
 * @throws PagemarkError `CONFLICT` when the other store has other backups under that name
 * @throws DamageError when an object is not what its record says; backups are not listed there before the next copy
 */
export async function copy(
  from: Store,
  to: Store,
  options: JobOptions & { name?: string | undefined } = {},
): Promise<Copied[]> {
  for (const store of [from, to]) checkHas("list", store, "each store", 'one such as folder("./backups")');
  const { name, signal, onProgress } = checkOptions(options);
  const names =
    name === undefined ? (await databasesIn(from, signal && { signal })).map((each) => each.name) : [name];
  const copied: Copied[] = [];
  for (const each of names) copied.push(await copyOne(from, to, each, { signal, onProgress }));
  return copied;
}

async function copyOne(from: Store, to: Store, name: string, options: JobOptions): Promise<Copied> {
  const { signal } = options;
  const { keyIn, nameToSegment } = await core();
  const segment = await naming(name, () => nameToSegment(name));
  const objects = (await everyObject(from, `${segment}/`, { signal })).flatMap((object) => {
    const target = keyIn(to.layout, segment, object.key);
    return target === undefined ? [] : [{ ...object, target, isRecord: target.endsWith(".json") }];
  });
  if (objects.length === 0)
    throw new PagemarkError("BACKUP_NONE", `${name}: there is no backup to copy`, { name });
  const there = new Map(
    (await everyObject(to, `${segment}/`, { signal })).map(({ key, size }) => [key, size]),
  );
  if (there.size === 0) await refuseNested(to, signal);
  await refuseOthers(from, to, name, objects, there, signal);

  const missing = objects.filter(({ target }) => !there.has(target));
  const proofs = missing.length === 0 ? new Map() : await proofsOf(from, segment, signal);
  const total = missing.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const one = async (object: Object) => {
    await copyObject(from, to, object, proofs.get(object.key), signal);
    done += object.size;
    options.onProgress?.({ phase: "copy", done, total, bytes: done });
  };
  const files = missing.filter(({ isRecord }) => !isRecord).values();
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      for (const each of files) await one(each);
    }),
  );
  const records = missing.filter(({ isRecord }) => isRecord);
  for (const each of records) await one(each);
  const present = objects.length - missing.length;
  return { name, backups: records.length, objects: missing.length, bytes: total, present };
}

/** Refuses a store that is a database's folder in another one. @throws PagemarkError `STORE_NESTED` */
async function refuseNested(to: Store, signal: AbortSignal | undefined): Promise<void> {
  const { refuseNested } = await core();
  const { objects } = await to.list("", { signal });
  refuseNested(objects.map(({ key }) => key));
}

interface Object extends StoredObject {
  /** Its key in the other store. */
  target: string;
  isRecord: boolean;
}

/**
 * Refuses a store with other backups of that name. The newest record that both have says it for all before it, as each has the
 * digest of the one before.
 */
async function refuseOthers(
  from: Store,
  to: Store,
  name: string,
  objects: readonly Object[],
  there: ReadonlyMap<string, number>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const common = objects.filter(({ target }) => there.has(target));
  const newest = common.findLast(({ isRecord }) => isRecord);
  const differs = common.some(({ target, size }) => there.get(target) !== size);
  const [ours, theirs] = newest
    ? await Promise.all([
        from.get(newest.key, { signal }).then((body) => collect(body, newest.size)),
        to.get(newest.target, { signal }).then((body) => collect(body, newest.size)),
      ])
    : [];
  const isOther = ours?.some((byte, at) => byte !== theirs?.[at]);
  if (differs || isOther) {
    const message = `${name}: the other store has other backups under that name; copy to another place`;
    throw new PagemarkError("CONFLICT", message, { name });
  }
}

/** What the records say of objects, by key. Objects of Litestream have no record; they prove themselves when they are read. */
async function proofsOf(
  store: Store,
  segment: string,
  signal: AbortSignal | undefined,
): Promise<Map<string, StoredFile>> {
  const folder = await Folder.load(store, segment, { signal });
  return folder.use(async () => {
    const proofs = new Map<string, StoredFile>();
    for (const { id, state } of folder.list()) {
      if (state !== "done") continue;
      const { files, backup } = await folder.plan(id);
      for (const file of [...files, ...(backup?.fingerprints ?? [])]) proofs.set(file.key, file);
    }
    return proofs;
  });
}

async function copyObject(
  from: Store,
  to: Store,
  { key, target, size, modified }: Object,
  proof: StoredFile | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const body = (await from.get(key, { signal })).pipeThrough(await proving(key, size, proof));
  const options = { modified, signal, ownsChunks: true };
  try {
    if (size > SMALL) await to.put(target, body, options);
    else await to.put(target, await bytesOf(body), options);
  } catch (error) {
    // Another copy that runs has stored it.
    if (!(error instanceof ObjectExistsError)) throw error;
  }
}

/** Fails at the end of bytes that are not an object's. */
async function proving(
  key: string,
  size: number,
  proof: StoredFile | undefined,
): Promise<TransformStream<Uint8Array, Uint8Array>> {
  const hash = proof?.sha256 === undefined ? undefined : await sha256();
  let length = 0;
  return new TransformStream({
    transform(chunk, controller) {
      length += chunk.length;
      hash?.update(chunk);
      controller.enqueue(chunk);
    },
    flush() {
      if (length === size && (hash === undefined || hash.digest() === proof?.sha256)) return;
      const message = `${JSON.stringify(key)} is not what its record says; nothing of this copy is listed: verify the backups, delete those that are damaged, then copy again`;
      throw new DamageError("OBJECT_DAMAGED", message, { name: key });
    },
  });
}

// Lists of stores: all of what one has, and a page of what several have.
import { PagemarkError } from "../errors/pagemark-error.ts";
import { compareKeys, pageLimit } from "./checks.ts";
import { guarded } from "./guarded.ts";
import type { ListOptions, ListPage, Store, StoredObject } from "./store.ts";

/** Where a list of several stores goes on: after a key, and from which cursor of each store; `null` where that has ended. */
interface Cursor {
  after: string;
  /** `""` for a store's beginning. */
  cursors: (string | null)[];
}

/** A page of what is in any of the stores, without keys that are hidden. What several have is listed once, as the first has it. */
export async function mergedPage(
  stores: readonly Store[],
  prefix: string,
  options: ListOptions & { isHidden?: (key: string) => boolean } = {},
): Promise<ListPage> {
  const { signal, isHidden = () => false } = options;
  const limit = pageLimit(prefix, options);
  signal?.throwIfAborted();
  let { after, cursors } = start(options.cursor, stores.length);
  const objects: StoredObject[] = [];
  while (objects.length < limit) {
    const pages = await Promise.all(
      stores.map(async (store, at): Promise<ListPage> => {
        const cursor = cursors[at];
        if (cursor === null) return { objects: [] };
        return store.list(prefix, { cursor: cursor || undefined, limit, signal });
      }),
    );
    // What comes after the end of a page may be in the next page of that store, too.
    const ends = pages
      .filter((page) => page.cursor !== undefined)
      .map((page) => page.objects.at(-1)?.key ?? "");
    const end = ends.sort(compareKeys)[0];
    const known = pages.flatMap((page) => page.objects).filter(({ key }) => key > after);
    const ready = known.filter(({ key }) => end === undefined || key <= end);
    const taken = distinct(ready).slice(0, limit - objects.length);
    objects.push(...taken.filter(({ key }) => !isHidden(key)));
    after = taken.at(-1)?.key ?? after;
    cursors = pages.map((page, at) => {
      const last = page.objects.at(-1)?.key;
      const isRead = last === undefined || last <= after;
      return isRead ? (page.cursor ?? null) : (cursors[at] ?? null);
    });
    if (cursors.every((cursor) => cursor === null)) return { objects };
  }
  return { objects, cursor: JSON.stringify({ after, cursors } satisfies Cursor) };
}

/** Every object of a store whose key begins with `prefix`. */
export function everyObject(
  store: Store,
  prefix: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<StoredObject[]> {
  return everyPage(guarded(store), prefix, options);
}

/** The same of a store as it lies there: see {@link guarded}. */
export async function everyPage(
  store: Store,
  prefix: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<StoredObject[]> {
  const all: StoredObject[] = [];
  let cursor: string | undefined;
  do {
    const page: ListPage = await store.list(prefix, { ...options, cursor });
    all.push(...page.objects);
    ({ cursor } = page);
  } while (cursor !== undefined);
  return all;
}

function start(cursor: string | undefined, count: number): Cursor {
  if (cursor === undefined) return { after: "", cursors: Array.from({ length: count }, () => "") };
  const isCursor = (value: Partial<Cursor>): value is Cursor =>
    typeof value.after === "string" && Array.isArray(value.cursors) && value.cursors.length === count;
  try {
    const value = JSON.parse(cursor);
    if (isCursor(value)) return value;
  } catch {
    // Said below.
  }
  throw new PagemarkError("USAGE", "the cursor is of another list; begin anew");
}

/** By key, each once: of those that several stores have, that of the first. */
function distinct(objects: readonly StoredObject[]): StoredObject[] {
  const byKey = new Map<string, StoredObject>();
  for (const object of objects) if (!byKey.has(object.key)) byKey.set(object.key, object);
  return [...byKey.values()].sort((a, b) => compareKeys(a.key, b.key));
}

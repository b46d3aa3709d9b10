import { checkHas } from "../errors/options.ts";
import { PagemarkError } from "../errors/pagemark-error.ts";
import type { Store, StoreUploads } from "./store.ts";

/** Where an encrypted store has its keys. No database's folder: a `%` in a key is followed by two digits there. */
export const KEYS = "%keys/";

/** What reads or writes objects, and begins an upload; its further calls need the state that this one gives. */
const CALLS: ReadonlySet<string | symbol> = new Set(["put", "get", "head", "list", "delete", "start"]);

/** Guards, and stores that look at keys themselves, by what lies beneath. */
const beneath = new WeakMap<Store, Store>();
/** Guards by what they guard: a store is asked once. */
const guards = new WeakMap<Store, Store>();

/** The store as it lies there: for whoever has keys. */
export function unguarded(store: Store): Store {
  checkHas("list", store, "the store", 'one such as folder("./backups")');
  return beneath.get(store) ?? store;
}

/** Notes that a store looks at keys itself, and needs no guard. */
export function guardsItself<Own extends Store>(store: Own): Own {
  beneath.set(store, store);
  return store;
}

/**
 * A store for which no key was given yet: one that is encrypted is refused, before its backups look damaged, or plain ones lie among
 * them. It is asked once, by one listing. All that Pagemark makes are guarded, and jobs guard those of users.
 *
 * Its calls throw what `store` throws, and `KEY_WRONG`.
 */
export function guarded(store: Store): Store {
  if (beneath.has(store)) return store;
  const known = guards.get(store);
  if (known) return known;
  let asked: Promise<void> | undefined;
  const refuse = () => {
    asked ??= refuseEncrypted(store).catch((error) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
  const guard = refusing(store, refuse);
  beneath.set(guard, store);
  guards.set(store, guard);
  return guard;
}

/** `of`, whose calls are made once `refuse` has let them. */
function refusing<Of extends Store | StoreUploads>(of: Of, refuse: () => Promise<void>): Of {
  let uploads: StoreUploads | undefined;
  // Not of `of` itself: what a proxy gives for a frozen object may not differ.
  return new Proxy(Object.create(of) as Of, {
    get(own, name) {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name); // set by whoever has the guard
      const value = Reflect.get(of, name, of);
      if (name === "uploads" && value) {
        uploads ??= refusing(value as unknown as StoreUploads, refuse);
        return uploads;
      }
      if (typeof value !== "function") return value;
      if (!CALLS.has(name)) return value.bind(of);
      return async (...args: unknown[]) => {
        try {
          await unlessAborted(refuse(), signalOf(args));
        } catch (error) {
          for (const arg of args) if (arg instanceof ReadableStream) await arg.cancel(error).catch(() => {});
          throw error;
        }
        return value.apply(of, args);
      };
    },
  });
}

/** The signal in the options, which come last. */
function signalOf(args: readonly unknown[]): AbortSignal | undefined {
  return (args.at(-1) as { signal?: AbortSignal } | undefined)?.signal;
}

/** Fails with the signal's reason as soon as it aborts: a store may never answer. */
async function unlessAborted(answer: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal?.reason);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
  try {
    await Promise.race([answer, aborted]);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

async function refuseEncrypted(store: Store): Promise<void> {
  const { objects } = await store.list(KEYS, { limit: 1 });
  if (objects.length === 0) return;
  const message = `${store.description} is encrypted, and no key was given: set PAGEMARK_AGE_IDENTITY or PAGEMARK_PASSPHRASE, or give encrypted() its keys`;
  throw new PagemarkError("KEY_WRONG", message);
}

import { checkHas } from "../errors/options.ts";
import { PagemarkError } from "../errors/pagemark-error.ts";
import type { Store } from "./store.ts";

/** Where an encrypted store has its keys. No database's folder: a `%` in a key is followed by two digits there. */
export const KEYS = "%keys/";

/** What reads or writes objects. */
const CALLS: ReadonlySet<string | symbol> = new Set(["put", "get", "head", "list", "delete"]);

/** The stores that are guarded, by what guards them. */
const beneath = new WeakMap<Store, Store>();

/** The store as it lies there: for whoever has keys. */
export function unguarded(store: Store): Store {
  checkHas("list", store, "the store", 'one such as folder("./backups")');
  return beneath.get(store) ?? store;
}

/**
 * A store for which no key was given yet: one that is encrypted is refused, before its backups look damaged, or plain ones lie among
 * them. It is asked once, by one listing.
 *
 * Its calls throw what `store` throws, and `KEY_WRONG`.
 */
export function guarded(store: Store): Store {
  let asked: Promise<void> | undefined;
  const refuse = () => {
    asked ??= refuseEncrypted(store).catch((error) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
  const guard = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (!CALLS.has(name)) return value.bind(target);
      return async (...args: unknown[]) => {
        try {
          await refuse();
        } catch (error) {
          for (const arg of args) if (arg instanceof ReadableStream) await arg.cancel(error).catch(() => {});
          throw error;
        }
        return value.apply(target, args);
      };
    },
  });
  beneath.set(guard, store);
  return guard;
}

async function refuseEncrypted(store: Store): Promise<void> {
  const { objects } = await store.list(KEYS, { limit: 1 });
  if (objects.length === 0) return;
  const message = `${store.description} is encrypted, and no key was given: set PAGEMARK_AGE_IDENTITY or PAGEMARK_PASSPHRASE, or give encrypted() its keys`;
  throw new PagemarkError("KEY_WRONG", message);
}

// Calls of an object: how their errors name it, and how they end when its database does.
import { PagemarkError } from "../../entry/workerd.ts";
import { short } from "../../service/arguments.ts";
import type { Identity } from "../../service/identity.ts";

/**
 * Makes what the methods of an object's class throw name the database as its users do: inside, it goes by its UUID, and
 * in the store by its name with the beginning of that. `wait` ends a call before its time, if need be.
 */
export function nameErrors<T extends object>(
  prototype: T,
  identityOf: (object: T) => Identity | undefined,
  wait: (object: T, name: string, call: Promise<unknown>) => Promise<unknown>,
): void {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (typeof value !== "function" || name === "constructor") continue;
    const method = async function (this: T, ...args: unknown[]) {
      try {
        return await wait(this, name, (async () => value.apply(this, args))());
      } catch (error) {
        const identity = identityOf(this);
        throw identity ? named(error, identity) : error;
      }
    };
    Object.defineProperty(prototype, name, { value: method, configurable: true, writable: true });
  }
}

/** What the engine says of times and states, of the one database that it knows. */
const OF_HISTORY: ReadonlySet<string> = new Set([
  "AT_SYNTAX",
  "BOOKMARK_LINEAGE",
  "BOOKMARK_SYNTAX",
  "BOOKMARK_UNKNOWN",
  "DATABASE_EMPTY",
  "HISTORY_GONE",
  "HISTORY_UNKNOWN",
  "TIME_AFTER_LAST",
  "TIME_BEFORE_FIRST",
]);

function named(error: unknown, { name, uuid }: Identity): unknown {
  if (!(error instanceof PagemarkError)) return error;
  // There is one store, and one name in it: nothing else is to be looked at.
  if (error.code === "BACKUP_NONE") error.message = `${name} has no backup yet`;
  for (const inner of [`${name}-${uuid.slice(0, 8)}`, uuid]) {
    if (error.message.startsWith(`${inner}: `)) error.message = `${name}${error.message.slice(inner.length)}`;
    if (error.at.name === inner) error.at.name = name;
  }
  if (OF_HISTORY.has(error.code) && !error.message.includes(name)) {
    error.message = `${name}: ${error.message}`;
  }
  error.message = short(error.message);
  return error;
}

/** Calls of an object that are under way: when its database is deleted, all of them end at once. */
export class Callers {
  readonly #refusals = new Set<(error: unknown) => void>();

  /** What `call` gives; or the error of {@link end}, when that comes first. Then the call goes on, but nobody hears of it. */
  wait<T>(call: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, refuse) => {
      this.#refusals.add(refuse);
      const heard = () => this.#refusals.delete(refuse);
      call.then(resolve, refuse).finally(heard);
    });
  }

  end(error: unknown): void {
    for (const refuse of this.#refusals) refuse(error);
    this.#refusals.clear();
  }
}

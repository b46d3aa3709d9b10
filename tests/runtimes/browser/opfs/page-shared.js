// `sharedDatabase` in a page.
import { sharedDatabase } from "/entry/browser-client.js";

let db;
const changes = [];

export async function open(path, options = {}) {
  db = await sharedDatabase(path, { history: { commits: 50 }, ...options });
  db.onChange((bookmark) => changes.push(bookmark));
}

/** Calls a method of the database; an error as its class and code. */
export async function ask(method, ...args) {
  try {
    return await db[method](...args);
  } catch (error) {
    return [error.constructor.name, error.code];
  }
}

export function changeCount() {
  return changes.length;
}

/** Adds rows to `t`, one a call, without waiting for one another; the errors. */
export async function add(first, count) {
  const calls = Array.from({ length: count }, (_, n) =>
    db.run("INSERT INTO t VALUES (?, 1)", first + n).then(
      () => undefined,
      (error) => error.code ?? String(error),
    ),
  );
  return (await Promise.all(calls)).filter((error) => error !== undefined);
}

export function close() {
  db.close();
}

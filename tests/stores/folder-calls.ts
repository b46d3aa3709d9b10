// What the tests of crashes share. `watch` stands between the package and node:fs/promises, in this process: sees
// every call, and may change what comes of it.
import promises, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import type { Store } from "pagemark";
import { bodyOf, bytes, cut } from "../contracts/store-cases/bytes.ts";

export interface Call {
  /** Such as `link`; of a file handle such as `handle.sync`. */
  name: string;
  /** The path it is about, or the handle's. */
  path: string;
  args: unknown[];
}

/** Does the call by `next`, or does something else. */
export type Watcher = (call: Call, next: () => unknown) => unknown;

const FUNCTIONS = [
  "link",
  "lstat",
  "mkdir",
  "open",
  "opendir",
  "realpath",
  "rename",
  "rmdir",
  "stat",
  "unlink",
];
const METHODS = ["datasync", "read", "stat", "sync", "utimes", "write"];

type Functions = Record<string, (...args: unknown[]) => unknown>;

/** Puts `watcher` in place. Returns what takes it away. */
export async function watch(watcher: Watcher): Promise<() => void> {
  const probe = await promises.open(".");
  const prototype: FileHandle = Object.getPrototypeOf(probe);
  await probe.close();
  const paths = new WeakMap<object, string>();
  const restores: (() => void)[] = [];

  const replace = (on: Functions, name: string, label: string) => {
    const original = on[name];
    if (!original) throw new Error(`there is no ${label}`);
    on[name] = async function (this: object, ...args: unknown[]) {
      const path = paths.get(this) ?? String(args[0]);
      const result = await watcher({ name: label, path, args }, () => original.apply(this, args));
      if (label === "open") opened(result as FileHandle, path);
      return result;
    };
    restores.push(() => {
      on[name] = original;
    });
  };
  const opened = (handle: FileHandle, path: string) => {
    paths.set(handle, path);
    const close = handle.close.bind(handle); // each handle has its own
    handle.close = async () => void (await watcher({ name: "handle.close", path, args: [] }, close));
  };
  for (const name of FUNCTIONS) replace(promises as unknown as Functions, name, name);
  for (const name of METHODS) replace(prototype as unknown as Functions, name, `handle.${name}`);
  syncBuiltinESMExports(); // so that `import { link } from "node:fs/promises"` gets ours
  return () => {
    for (const restore of restores) restore();
    syncBuiltinESMExports();
  };
}

/** What the system would throw. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made up by a test`), { code, syscall: "test" });
}

/** Bytes and times of two objects. */
export const TWO = [
  { key: "c", object: bytes(50_000, 1), modified: new Date(1_700_000_000_001) },
  { key: "db/a", object: bytes(60_000, 2), modified: new Date(1_700_000_000_002) },
];

/** Puts those of them that are not there. */
export async function putTwo(store: Store): Promise<void> {
  for (const { key, object, modified } of TWO) {
    if (await store.head(key)) continue;
    await store.put(key, bodyOf(cut(object, [30_000])).stream, { modified });
  }
}

import type { Store } from "pagemark";
import { bytes, listed, readAll, sorted } from "./bytes.ts";
import { rejectsAs, same, sameBytes } from "./check.ts";
import type { Case, Traits } from "./index.ts";

const VALID = [
  "%2e%2e/%2F%00",
  "%",
  "-",
  "--/-",
  "...",
  "..a",
  "a..",
  ".hidden/.x",
  "_",
  "con/nul.txt",
  "pagemark/0000000000000001.json",
  ".pagemark-not",
  "0".repeat(255),
  // 1,024 bytes: three segments of 255, and one of 256 in two
  `${"x".repeat(255)}/${"y".repeat(255)}/${"z".repeat(255)}/${"k".repeat(127)}/${"k".repeat(128)}`,
];

const TWINS = ["Case/A", "Case/a", "CASE/a"];

const INVALID = [
  "",
  "/",
  "/a",
  "a/",
  "a//b",
  ".",
  "..",
  "./a",
  "../a",
  "../../etc/passwd",
  "a/..",
  "a/../b",
  "a/./b",
  "..\\a",
  "a\\b",
  "C:a",
  "\0",
  "a\0b",
  "a b",
  "a\nb",
  "a\u001b[2Jb",
  "ä",
  "a\u0308",
  "\u202egnp.exe",
  "\ud800",
  "日本",
  "a?b",
  "a*",
  "a:b",
  "a+b",
  "a~",
  "'; DROP TABLE t; --",
  ".pagemark/tmp/a",
  ".PageMark/a",
  "a/.pagemark/b",
  "x".repeat(1025),
  "a/".repeat(100_000),
];

export function keys(traits: Traits): Case[] {
  return [
    ["F8 odd keys that are valid are kept apart, exactly", (store) => roundTrip(store, traits)],
    ["F8 what is no key is refused by every operation, and nothing is done", refused],
  ];
}

async function roundTrip(store: Store, { caseSensitive, longKeys }: Traits) {
  const valid = [
    ...VALID.filter((key) => longKeys || (key.length < 900 && !key.includes("0".repeat(200)))),
    ...(caseSensitive ? TWINS : []),
  ];
  for (const [i, key] of valid.entries()) await store.put(key, bytes(100, i));
  same(await listed(store), sorted(valid), "list");
  for (const [i, key] of valid.entries()) {
    sameBytes(await readAll(await store.get(key)), bytes(100, i), key);
    same((await store.head(key))?.key, key, "head");
    same((await store.list(key, { limit: 1 })).objects[0]?.key, key, "first by prefix");
  }
  for (const key of valid) await store.delete(key);
  same(await listed(store), [], "list after deleting");
}

async function refused(store: Store) {
  for (const key of INVALID) {
    const shown = JSON.stringify(key.slice(0, 40));
    await rejectsAs(store.put(key, bytes(1)), "STORE_KEY", `put ${shown}`);
    await rejectsAs(store.get(key), "STORE_KEY", `get ${shown}`);
    await rejectsAs(store.head(key), "STORE_KEY", `head ${shown}`);
    await rejectsAs(store.delete(key), "STORE_KEY", `delete ${shown}`);
  }
  same(await listed(store), [], "list");
}

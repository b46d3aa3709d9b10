import { StoreError } from "../errors/store-error.ts";

const MOST_BYTES = 1024;
const SEGMENT = /^[A-Za-z0-9._%-]+$/;

/** Not to be used as a segment. `.pagemark`, in any case, is where a folder keeps what is not an object. */
const RESERVED = new Set([".", "..", ".pagemark"]);

/**
 * Refuses what is no key. Every operation of every driver starts with it, so no name leaves a store's root.
 *
 * @throws StoreError `STORE_KEY`
 */
export function checkKey(key: string): void {
  const problem = problemOf(key);
  if (problem === undefined) return;
  throw new StoreError(
    "STORE_KEY",
    `${shown(key)} is no key: ${problem}. Use segments of A-Z a-z 0-9 . _ - % joined by "/"`,
    { name: key },
  );
}

/** Whether `name` may stand between two slashes of a key. */
export function isSegment(name: string): boolean {
  return SEGMENT.test(name) && !RESERVED.has(name.toLowerCase());
}

/** The order of a list: that of the bytes, as keys are ASCII. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function problemOf(key: string): string | undefined {
  if (typeof key !== "string") return "it is not text";
  if (key.length > MOST_BYTES) return `it is longer than ${MOST_BYTES} bytes`; // as all of a valid one is ASCII
  const wrong = key.split("/").find((segment) => !isSegment(segment));
  if (wrong === undefined) return undefined;
  return wrong === "" ? "a segment is empty" : `${shown(wrong)} cannot be a segment`;
}

/** Quoted, short, and harmless on a terminal: no control characters, nothing that turns the text around. */
function shown(text: unknown): string {
  const quoted = JSON.stringify(String(text).slice(0, 80));
  return quoted.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

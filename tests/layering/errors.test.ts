// Errors are finished where they are made: above, nobody translates them or reads their text.
import { describe, expect, test } from "vitest";
import { read } from "./files.ts";

/** What others say, and only as a text: R2, a Durable Object's storage, the system, V8 without memory, and SQLite's own check. */
const FOREIGN = new Set([
  "cli/output.ts",
  "engine/check.ts",
  "engine/durable-object-store.ts",
  "node/errno.ts",
  "stores/r2/errors.ts",
]);
/** A regular expression, or what works as one, over an error's code or text. */
const READ =
  /\/[a-z]*\.(test|exec)\([^()]*\b(code|message)\b[^()]*\)|\b(code|message)\.(match|matchAll|search)\(/;

const sources = [...read("js/src", ".ts")].filter(([path]) => !path.startsWith("api/dashboard/"));

function filesWith(pattern: RegExp): string[] {
  return sources.filter(([, text]) => pattern.test(text)).map(([path]) => path);
}

describe("errors", () => {
  test("come out of the core as what the package throws", () => {
    expect(filesWith(/\btranslat(e|ing)\w*\(/)).toEqual([]);
  });

  test("are told apart by their codes, which are compared whole", () => {
    expect(filesWith(READ).filter((path) => !FOREIGN.has(path))).toEqual([]);
  });

  test("reading a code or a text by a pattern is noticed", () => {
    for (const line of [
      "/^(USAGE|AT)_/.test(error.code)",
      "/x/i.exec(message)",
      "error.message.match(/x/)",
      "known = code.search(/_/)",
    ])
      expect(line).toMatch(READ);
    for (const line of ['error.code === "USAGE"', "/x/.test(text)", "KNOWN.has(error.code)"])
      expect(line).not.toMatch(READ);
  });
});

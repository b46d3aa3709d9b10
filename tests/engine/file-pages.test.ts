// A file of pages that SQLite looks into, as the command line's checks do.
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filePages } from "../../js/dist/engine/file-pages.node.js";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();

/** A file of 64 KiB whose header says that its pages have that size; 1 stands for 65536. */
function pagesOf(stated: number): number {
  const bytes = new Uint8Array(1 << 16);
  new DataView(bytes.buffer).setUint16(16, stated);
  const path = join(folder, `${stated}.db`);
  writeFileSync(path, bytes);
  const fd = openSync(path, "r");
  try {
    return filePages(fd, "the copy", fd).raw.pageSize;
  } finally {
    closeSync(fd);
  }
}

test("pages have the sizes that SQLite's have, and no other", () => {
  expect([512, 4096, 32768, 1].map(pagesOf)).toEqual([512, 4096, 32768, 65536]);
  for (const size of [0, 2, 511, 1000, 4095, 65535]) {
    expect(() => pagesOf(size), String(size)).toThrow(
      expect.objectContaining({ code: "DATABASE_NOT_SQLITE" }),
    );
  }
});

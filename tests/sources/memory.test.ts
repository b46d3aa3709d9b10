import { mkdtempSync, openAsBlob, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory } from "pagemark";
import { describe, expect, test } from "vitest";
import { sourceContract } from "../contracts/source.ts";
import { allPages, imageOf } from "../contracts/source-cases/image.ts";
import { bodyOf } from "../contracts/store-cases/bytes.ts";

sourceContract("memory(bytes)", async (image) => ({ source: memory(image) }));
sourceContract("memory(buffer)", async (image) => ({ source: memory(image.buffer) }));
sourceContract("memory(blob)", async (image) => ({ source: memory(new Blob([image])) }));

describe("memory()", () => {
  test("is called memory unless it is called something else", () => {
    expect(memory(new Uint8Array()).name).toBe("memory");
    expect(memory(new Uint8Array(), { name: "shop" }).name).toBe("shop");
  });

  test("a view of a larger buffer is only what is in view", async () => {
    const whole = new Uint8Array(30_000);
    whole.set(imageOf(512, 9), 1000);
    const moment = await memory(whole.subarray(1000, 1000 + 9 * 512)).pin();
    expect(await allPages(moment)).toEqual(imageOf(512, 9));
  });

  test("the image of a database in WAL mode is its main file alone", async () => {
    const image = imageOf(4096, 5);
    image.set([2, 2], 18);
    const moment = await memory(image).pin();
    expect(await allPages(moment)).toEqual(image);
  });

  test("a blob is read where it is asked for, and never as a whole", async () => {
    class Watched extends Blob {
      static readonly sizes: number[] = [];
      override slice(start?: number, end?: number): Blob {
        const slice = super.slice(start, end);
        Watched.sizes.push(slice.size);
        return slice;
      }
      override arrayBuffer(): Promise<ArrayBuffer> {
        throw new Error("as a whole");
      }
    }
    const moment = await memory(new Watched([imageOf(4096, 100)])).pin();
    await moment.read(5, new Uint8Array(8192));
    expect(Watched.sizes).toEqual([512, 8192]);
  });

  test("a blob that changes while it is read is no moment: in its header, or in what was read first", async () => {
    for (const changed of [24, 4096 * 3 + 7]) {
      const image = imageOf(4096, 10);
      class Live extends Blob {
        override get size(): number {
          return image.length;
        }
        override slice(start?: number, end?: number): Blob {
          return new Blob([image.slice(start, end)]);
        }
      }
      const moment = await memory(new Live(), { name: "live" }).pin();
      await moment.read(1, new Uint8Array(4096 * 5));
      image[changed] = (image[changed] ?? 0) ^ 1;
      await moment.read(6, new Uint8Array(4096 * 5));
      await expect(moment.release()).rejects.toMatchObject({ code: "SOURCE_CHANGED", name: "SourceError" });
    }
  });

  test("a file that is written while it is read is no moment", async () => {
    const folder = mkdtempSync(join(tmpdir(), "pagemark-memory-"));
    try {
      writeFileSync(join(folder, "a.db"), imageOf(4096, 10));
      const moment = await memory(await openAsBlob(join(folder, "a.db"))).pin();
      writeFileSync(join(folder, "a.db"), imageOf(4096, 10, 2));
      await expect(moment.read(6, new Uint8Array(4096))).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
      await moment.release().catch(() => {});
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("its database is there as a blob, before and after it is replaced", async () => {
    const source = memory(imageOf(512, 4));
    expect(source.database.size).toBe(2048);
    await source.replace?.(bodyOf([imageOf(512, 6, 2)]).stream);
    expect(new Uint8Array(await source.database.arrayBuffer())).toEqual(imageOf(512, 6, 2));
  });
});

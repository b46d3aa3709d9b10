import { bytes } from "../store-cases/bytes.ts";
import { rejectsAs } from "../store-cases/check.ts";
import { imageOf } from "./image.ts";
import type { Case } from "./index.ts";

/** A source of what is no database: pinning it says what it is. */
function refused(what: string, code: string, image: () => Uint8Array): Case {
  return [
    `${what} is refused as ${code}`,
    image as () => Uint8Array<ArrayBuffer>,
    (source) => rejectsAs(source.pin(), code),
  ];
}

export const refusals: Case[] = [
  refused("an empty file", "DATABASE_EMPTY", () => new Uint8Array()),
  refused("text", "DATABASE_NOT_SQLITE", () => new TextEncoder().encode("Dear diary, ".repeat(400))),
  refused("one byte", "DATABASE_NOT_SQLITE", () => new Uint8Array([83])),
  refused("ciphertext", "DATABASE_ENCRYPTED", () => bytes(8192)),
  refused("half a header", "DATABASE_TRUNCATED", () => imageOf(4096, 2).slice(0, 50)),
  refused("a database that was cut off", "DATABASE_TRUNCATED", () => imageOf(4096, 9).slice(0, 8 * 4096 + 1)),
  refused("a page size that is none", "DATABASE_HEADER", () => {
    const image = imageOf(4096, 2);
    image[17] = 7;
    return image;
  }),
];

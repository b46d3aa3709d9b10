import type { Moment } from "pagemark";
import { bytes } from "../store-cases/bytes.ts";

export const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

/**
 * A database without tables, in rollback mode; its pages hold bytes that look random, and differ by `seed`.
 * Sources look no further, and so have none of SQLite's to thank for reading them right.
 */
export function imageOf(pageSize: number, pageCount: number, seed = 1): Uint8Array<ArrayBuffer> {
  const image = bytes(pageSize * pageCount, seed) as Uint8Array<ArrayBuffer>;
  const view = new DataView(image.buffer);
  image.set(new TextEncoder().encode("SQLite format 3\0"));
  view.setUint16(16, pageSize === 65536 ? 1 : pageSize);
  // Rollback mode; no reserved bytes; the three fractions that never vary.
  image.set([1, 1, 0, 64, 32, 32], 18);
  const changeCounter = 7;
  view.setUint32(24, changeCounter);
  view.setUint32(28, pageCount);
  // No free pages.
  image.fill(0, 32, 40);
  // Schema format 4, and UTF-8.
  view.setUint32(44, 4);
  view.setUint32(56, 1);
  image.fill(0, 72, 92);
  view.setUint32(92, changeCounter);
  view.setUint32(96, 3_046_000);
  // A schema without rows, whose cells would end with the page.
  image.set([13, 0, 0, 0, 0], 100);
  view.setUint16(105, pageSize);
  return image;
}

/** All pages of a moment, `step` at a time. */
export async function allPages(moment: Moment, step = 16): Promise<Uint8Array> {
  const { pageSize, pageCount } = moment;
  const whole = new Uint8Array(pageSize * pageCount);
  for (let page = 1; page <= pageCount; page += step) {
    const last = Math.min(page + step - 1, pageCount);
    await moment.read(page, whole.subarray((page - 1) * pageSize, last * pageSize));
  }
  return whole;
}

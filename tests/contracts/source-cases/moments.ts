import { rejectsAs, rejectsWith, sameBytes } from "../store-cases/check.ts";
import { allPages, imageOf } from "./image.ts";
import type { Case } from "./index.ts";

const reason = new Error("the user pressed stop");

export const moments: Case[] = [
  [
    "two moments may be pinned at once, and one outlives the other",
    () => imageOf(4096, 30),
    async (source, image) => {
      const [one, other] = await Promise.all([source.pin(), source.pin()]);
      sameBytes(await allPages(one), image);
      await one.release();
      sameBytes(await allPages(other), image);
      const third = await source.pin();
      await other.release();
      sameBytes(await allPages(third), image);
      await third.release();
    },
  ],
  [
    "a moment may be released twice, also without having been read",
    () => imageOf(4096, 3),
    async (source) => {
      const moment = await source.pin();
      await Promise.all([moment.release(), moment.release()]);
      await moment.release();
    },
  ],
  [
    "a moment that is released while it is read lets the reading end",
    () => imageOf(4096, 200),
    async (source, image) => {
      const moment = await source.pin();
      const whole = new Uint8Array(image.length);
      const reading = moment.read(1, whole);
      await moment.release();
      await reading;
      sameBytes(whole, image);
    },
  ],
  [
    "a moment that was released refuses to be read",
    () => imageOf(4096, 3),
    async (source) => {
      const moment = await source.pin();
      await moment.release();
      await rejectsAs(moment.read(1, new Uint8Array(4096)), "SOURCE_RELEASED");
    },
  ],
  [
    "only whole pages that exist are read",
    () => imageOf(4096, 3),
    async (source) => {
      const moment = await source.pin();
      for (const [first, length] of [
        [0, 4096],
        [4, 4096],
        [3, 8192],
        [1, 4095],
        [1.5, 4096],
        [-1, 4096],
        [Number.NaN, 4096],
      ] as const) {
        await rejectsAs(
          moment.read(first, new Uint8Array(length)),
          "SOURCE_RANGE",
          `${length} bytes from ${first}`,
        );
      }
      await moment.release();
    },
  ],
  [
    "an abort stops the pinning and the reading, with its reason",
    () => imageOf(4096, 3),
    async (source, image) => {
      await rejectsWith(source.pin({ signal: AbortSignal.abort(reason) }), reason);
      const moment = await source.pin();
      await rejectsWith(moment.read(1, new Uint8Array(4096), AbortSignal.abort(reason)), reason);
      sameBytes(await allPages(moment), image, "another reading goes on");
      await moment.release();
    },
  ],
];

import type { PageSource } from "pagemark";
import { bodyOf, cut } from "../store-cases/bytes.ts";
import { codeOf, ok, rejectsAs, rejectsWith, same, sameBytes } from "../store-cases/check.ts";
import { allPages, imageOf } from "./image.ts";
import type { Case } from "./index.ts";

const reason = new Error("the network is gone");
const old = () => imageOf(4096, 40, 1);

async function holds(source: PageSource, image: Uint8Array, what: string): Promise<void> {
  const moment = await source.pin();
  sameBytes(await allPages(moment), image, what);
  await moment.release();
}

/** Replaces, where the source can be replaced at all. */
function replacing(title: string, run: (source: Required<PageSource>) => Promise<void>): Case {
  return [title, old, async (source) => source.replace && run(source as Required<PageSource>)];
}

export const replaces: Case[] = [
  replacing("another database takes its place, larger or smaller, with other pages", async (source) => {
    for (const image of [imageOf(4096, 90, 2), imageOf(512, 3, 3), imageOf(65536, 20, 4)]) {
      await source.replace(bodyOf(cut(image, [1000, 1, 70_000])).stream);
      await holds(source, image, `${image.length} bytes`);
    }
  }),
  replacing("a maker may use a chunk's memory again", async (source) => {
    const image = imageOf(4096, 20, 5);
    const chunk = new Uint8Array(4096);
    let page = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (page === 20) return controller.close();
          chunk.set(image.subarray(page * 4096, ++page * 4096));
          controller.enqueue(chunk);
        },
      },
      { highWaterMark: 0 },
    );
    await source.replace(body);
    await holds(source, image, "the new database");
  }),
  replacing("a body that fails changes nothing", async (source) => {
    for (const chunks of [[], [imageOf(4096, 30, 2)]]) {
      const { stream } = bodyOf(chunks, (controller) => controller.error(reason));
      await rejectsWith(source.replace(stream), reason);
      await holds(source, old(), "the old database");
    }
  }),
  replacing("an abort changes nothing, and gives up on the body", async (source) => {
    const aborter = new AbortController();
    const { stream, canceled } = bodyOf([imageOf(4096, 30, 2)], () => aborter.abort(reason));
    await rejectsWith(source.replace(stream, { signal: aborter.signal }), reason);
    same(await canceled, reason);
    await rejectsWith(source.replace(bodyOf([]).stream, { signal: AbortSignal.abort(reason) }), reason);
    await holds(source, old(), "the old database");
  }),
  replacing("what is no database does not take its place", async (source) => {
    await rejectsAs(source.replace(bodyOf([]).stream), "DATABASE_EMPTY");
    const text = new TextEncoder().encode("Dear diary, ".repeat(100));
    await rejectsAs(source.replace(bodyOf([text]).stream), "DATABASE_NOT_SQLITE");
    await holds(source, old(), "the old database");
  }),
  replacing("while a moment is pinned, it is refused or leaves the moment as it is", async (source) => {
    const image = imageOf(4096, 50, 6);
    const moment = await source.pin();
    let isRefused = false;
    try {
      await source.replace(bodyOf([image]).stream);
    } catch (error) {
      isRefused = true;
      same(codeOf(error), "SOURCE_IN_USE");
    }
    sameBytes(await allPages(moment), old(), "the moment");
    await moment.release();
    await holds(source, isRefused ? old() : image, "the database");
    ok(true, "either is right");
  }),
];

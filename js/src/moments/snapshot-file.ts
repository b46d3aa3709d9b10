import { core, packWith } from "../core/index.ts";
import type { Moment } from "../sources/source.ts";
import { streamOf } from "../streams/streams.ts";

/** What is read and packed at a time, in bytes. */
const CHUNK = 256 << 10;

/**
 * A moment as one LTX file: a snapshot, which `litestream restore` takes. The moment is released at the end.
 *
 * @param txid of the moment, 16 hex digits
 * @param createdMs when it was taken, in milliseconds since 1970
 */
export function snapshotFile(moment: Moment, txid: string, createdMs: number): ReadableStream<Uint8Array> {
  return streamOf(snapshotPieces(moment, txid, createdMs), () => moment.release());
}

async function* snapshotPieces(
  moment: Moment,
  txid: string,
  createdMs: number,
): AsyncGenerator<Uint8Array, void, void> {
  const { Packer, Writer } = await core();
  const { pageSize, pageCount } = moment;
  const packer = new Packer(pageSize);
  const writer = new Writer(pageSize, pageCount, "0000000000000001", txid, createdMs);
  const most = Math.max(1, Math.floor(CHUNK / pageSize));
  try {
    yield writer.ltxHeader();
    for (let first = 1; first <= pageCount; first += most) {
      const count = Math.min(most, pageCount - first + 1);
      const pages = new Uint8Array(count * pageSize);
      await moment.read(first, pages);
      const { frames, summary } = packWith(packer, pageSize, { runs: [{ first, count }], pages });
      writer.append(summary);
      yield frames;
    }
    const tail = writer.finish();
    for (let piece = tail.next(); piece; piece = tail.next()) yield piece;
    // What was read is only one moment if releasing says so.
    await moment.release();
  } finally {
    packer.free();
    writer.free();
    await moment.release().catch(() => {});
  }
}

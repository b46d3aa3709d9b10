import { free } from "../../core/free.ts";

/** After so much others have a turn: where who reads is quick, nothing else would wait, and nobody else would have one. */
const TURN_BYTES = 1 << 19;

/**
 * A stream of workerd's own, which alone goes from one object to another. Chunks are freed when they are on their way:
 * nobody else may look at them.
 */
export function streamed(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const { readable, writable } = new IdentityTransformStream();
  pump(body, writable as WritableStream<Uint8Array>).catch(() => {}); // who reads it hears of an error there
  return readable as ReadableStream<Uint8Array>;
}

async function pump(body: ReadableStream<Uint8Array>, to: WritableStream<Uint8Array>): Promise<void> {
  const reader = body.getReader();
  const writer = to.getWriter();
  let sent = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return await writer.close();
      await writer.write(value);
      sent += value.length;
      free(value);
      if (sent < TURN_BYTES) continue;
      await new Promise((resolve) => setTimeout(resolve));
      sent = 0;
    }
  } catch (error) {
    await writer.abort(error).catch(() => {});
    await reader.cancel(error).catch(() => {});
  }
}

/** Progress is shown that often, in milliseconds. */
const SHOW_MS = 200;

/**
 * Saves an answer as a file. The token goes in a header, so no link can do it; the browser keeps large bodies on disk.
 *
 * @param onProgress bytes so far, and in all
 */
export async function save(
  answer: Response,
  filename: string,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const total = Number(answer.headers.get("content-length") ?? 0);
  let done = 0;
  let shown = 0;
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      done += chunk.length;
      if (performance.now() - shown >= SHOW_MS) {
        shown = performance.now();
        onProgress(done, Math.max(done, total));
      }
      controller.enqueue(chunk);
    },
  });
  const body = answer.body?.pipeThrough(counting) ?? null;
  const url = URL.createObjectURL(await new Response(body).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  // The browser has begun by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

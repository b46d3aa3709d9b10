// Real R2 buckets: workerd, run by miniflare, as wrangler runs them.
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import type { R2Binding } from "pagemark";
import { afterAll, beforeAll } from "vitest";

/** They have to be named before workerd starts; one that nobody uses costs nothing. */
const MOST = 150;

/** In milliseconds. */
const LONGEST_WAIT = 60_000;

/**
 * Miniflare stops this thread while workerd answers the first call of each function, for as long as that takes: no timer
 * of vitest's would ever end a test that waits for an answer that does not come. So this fails it.
 */
function boundWaits(): void {
  const wait = Atomics.wait;
  const bounded = (array: Int32Array, index: number, value: number, timeout = LONGEST_WAIT) => {
    const how = wait(array, index, value, timeout);
    if (how === "timed-out" && timeout === LONGEST_WAIT) throw new Error("workerd gives no answer");
    return how;
  };
  Atomics.wait = bounded as typeof Atomics.wait;
}

/** For a test file: gives a new, empty bucket at each call. */
export function buckets(): () => Promise<R2Binding> {
  let miniflare: Miniflare | undefined;
  let used = 0;
  beforeAll(async () => {
    boundWaits();
    miniflare = new Miniflare(
      convertV4MiniflareOptions({
        modules: true,
        script: "export default {}",
        compatibilityDate: "2026-10-01",
        r2Buckets: Array.from({ length: MOST }, (_, index) => `B${index}`),
      }),
    );
    await miniflare.ready;
  }, 60_000);
  afterAll(() => miniflare?.dispose());
  return async () => {
    if (!miniflare) throw new Error("miniflare is not up");
    // Its types are those of another version of Cloudflare's.
    return (await miniflare.getR2Bucket(`B${used++}`)) as unknown as R2Binding;
  };
}

/** Read at a time by whoever reads on and on. In bytes. */
const WINDOW = 4 << 20;

type Read = (offset: number, into: Uint8Array) => Promise<number>;

/**
 * Reads ahead for whoever reads on and on in small parts: a call to the browser's file system takes as long for a few bytes as
 * for a few megabytes. Other reads go through as they are.
 */
export function readingAhead(read: Read, size: number): Read {
  let next = 0;
  let now: { start: number; bytes: Promise<Uint8Array> } | undefined;
  let then: typeof now;
  const open = (start: number) => {
    const bytes = (async () => {
      const window = new Uint8Array(Math.max(0, Math.min(WINDOW, size - start)));
      return window.subarray(0, window.length > 0 ? await read(start, window) : 0);
    })();
    bytes.catch(() => {}); // thrown when it is asked for
    return { start, bytes };
  };
  return async (offset, into) => {
    const isOnward = offset === next;
    next = offset + into.length;
    if (!isOnward || into.length >= WINDOW) return read(offset, into);
    let filled = 0;
    while (filled < into.length) {
      const at = offset + filled;
      if (!now || at < now.start || at >= now.start + WINDOW) {
        now = then?.start === at ? then : open(at);
        then = open(now.start + WINDOW);
      }
      const window = now;
      const bytes = await window.bytes;
      const part = bytes.subarray(at - window.start, at - window.start + into.length - filled);
      if (part.length === 0) break;
      into.set(part, filled);
      filled += part.length;
    }
    return filled;
  };
}

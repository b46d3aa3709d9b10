// The engine's wasm with a limit on its memory, as a runtime with less of it would give.

const MEMORY_SECTION = 5;
const HEADER = 8;

/** A copy of `wasm` whose memory cannot grow beyond `pages` of 64 KiB. */
export function capped(wasm: Uint8Array, pages: number): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [wasm.subarray(0, HEADER)];
  for (let at = HEADER; at < wasm.length; ) {
    const [length, start] = readNumber(wasm, at + 1);
    const end = start + length;
    if (wasm[at] === MEMORY_SECTION) {
      // One memory: a flag that says whether there is a limit, the least, the limit.
      const [count, flagAt] = readNumber(wasm, start);
      const [least] = readNumber(wasm, flagAt + 1);
      if (count !== 1) throw new Error(`${count} memories`);
      const limits = [1, 1, ...number(least), ...number(pages)];
      parts.push(Uint8Array.of(MEMORY_SECTION, ...number(limits.length), ...limits));
    } else parts.push(wasm.subarray(at, end));
    at = end;
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** An LEB128 number, and where it ends. */
function readNumber(bytes: Uint8Array, start: number): [value: number, end: number] {
  let value = 0;
  for (let at = start, shift = 0; ; at++, shift += 7) {
    const byte = bytes[at] ?? 0;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at + 1];
  }
}

function number(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...number(value >>> 7)];
}

import type { DumpCore } from "../core/index.ts";

/** What is taken at once, in bytes: mostly all there is. */
export const OUTPUT_CHUNK = 320 << 10;

/** The SQL that `dump` has written, in `memory` again and again. */
export function* takeOutput(
  dump: InstanceType<DumpCore["Dump"]>,
  memory: Uint8Array,
): Generator<Uint8Array, void, void> {
  while (dump.outputLength > 0) yield memory.subarray(0, dump.takeOutput(memory));
}

import type { Progress } from "../streams/progress.ts";
import { bytes } from "./output.ts";

/** A bar on stderr while `work` runs, where stderr is a terminal. */
export async function withBar<T>(
  label: string,
  json: boolean,
  work: (onProgress: ((progress: Progress) => void) | undefined) => Promise<T>,
): Promise<T> {
  if (json || !process.stderr.isTTY) return work(undefined);
  const { Presets, SingleBar } = (await import("cli-progress")).default;
  const format = `${label} {bar} {percentage}% | {read} | {duration_formatted}`;
  const bar = new SingleBar({ format, clearOnComplete: true, hideCursor: true }, Presets.shades_classic);
  let phase: string | undefined;
  try {
    return await work((progress) => {
      if (phase !== progress.phase) bar.start(progress.total, 0, { read: bytes(0) });
      phase = progress.phase;
      bar.update(progress.done, { read: bytes(progress.bytes) });
    });
  } finally {
    bar.stop();
  }
}

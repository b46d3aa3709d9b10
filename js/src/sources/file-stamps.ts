import { stat } from "node:fs/promises";

/** The files that make up a database. */
const SIDECARS = ["", "-wal", "-journal"];
/** File times move in steps of a few milliseconds: a change within one step may leave no trace. */
const TIME_STEP_MS = 20;

/** What tells that a database's files were not touched: identity, size and times of each, or that it is not there. */
export type Stamps = string;

/** The stamps of a database that was last written long enough ago for the next write to show. */
export async function settledStamps(path: string): Promise<Stamps> {
  for (;;) {
    const now = Date.now();
    const { text, newest } = await look(path);
    if (Math.abs(now - newest) > TIME_STEP_MS) return text;
    await new Promise((resolve) => setTimeout(resolve, TIME_STEP_MS));
  }
}

export async function stamps(path: string): Promise<Stamps> {
  return (await look(path)).text;
}

async function look(path: string): Promise<{ text: Stamps; newest: number }> {
  const looks = await Promise.all(
    SIDECARS.map((ending) => stat(path + ending, { bigint: true }).catch(() => undefined)),
  );
  const text = looks.map((s) => s && [s.dev, s.ino, s.size, s.mtimeNs, s.ctimeNs].join(":")).join("|");
  return { text, newest: Math.max(...looks.map((s) => Number(s?.mtimeMs ?? 0))) };
}

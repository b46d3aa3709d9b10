import type { EngineDatabase } from "../core/index.ts";
import type { Handle } from "./handle.ts";
import type { Parameters, Row, Statement } from "./statement.ts";

/** Runs statements in one transaction with one call of the engine, and gives the rows of each. */
export function runBatch(
  handle: Handle,
  engine: EngineDatabase,
  bound: readonly (readonly [Statement, ...Parameters])[],
): Row[][] {
  const values = bound.map(([statement, ...parameters]) =>
    statement.of(handle).begin(parameters as Parameters),
  );
  const ids = Uint32Array.from(bound, ([statement]) => statement.id);
  const lengths = Uint32Array.from(values, ({ length }) => length);
  const all = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const each of values) {
    all.set(each, at);
    at += each.length;
  }
  const results = engine.batch(ids, lengths, all, Date.now()) as Uint8Array[][];
  return bound.map(([statement], index) => statement.decode(results[index] ?? []));
}

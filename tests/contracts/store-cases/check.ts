/** What a failed check throws. */
export class CheckError extends Error {
  override readonly name = "CheckError";
}

/** Fails unless two plain values are written alike as JSON. `undefined` is told from `null`. */
export function same(actual: unknown, expected: unknown, what = "value"): void {
  const [a, b] = [text(actual), text(expected)];
  if (a !== b) throw new CheckError(`${what}: got ${a}, expected ${b}`);
}

export function ok(condition: unknown, what: string): asserts condition {
  if (!condition) throw new CheckError(what);
}

export function sameBytes(actual: Uint8Array, expected: Uint8Array, what = "bytes"): void {
  const shorter = Math.min(actual.length, expected.length);
  for (let i = 0; i < shorter; i++) {
    if (actual[i] !== expected[i]) throw new CheckError(`${what}: differ from byte ${i} on`);
  }
  same(actual.length, expected.length, `${what}: length`);
}

/** Fails unless `promise` is rejected with this very value. */
export async function rejectsWith(
  promise: Promise<unknown>,
  reason: unknown,
  what = "promise",
): Promise<void> {
  const error = await rejection(promise, what);
  if (error !== reason)
    throw new CheckError(`${what}: rejected with ${String(error)}, not with ${String(reason)}`);
}

/** Fails unless `promise` is rejected with an error of this code, whose message says something. */
export async function rejectsAs(promise: Promise<unknown>, code: string, what = "promise"): Promise<void> {
  const error = await rejection(promise, what);
  same(codeOf(error), code, `${what}: code of ${String(error)}`);
  ok(error instanceof Error && error.message.length > 10, `${what}: the error says nothing`);
}

/** Fails unless `promise` is rejected with an error of this name. */
export async function rejectsNamed(promise: Promise<unknown>, name: string, what = "promise"): Promise<void> {
  const error = await rejection(promise, what);
  same(error instanceof Error ? error.name : undefined, name, `${what}: name of ${String(error)}`);
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

async function rejection(promise: Promise<unknown>, what: string): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new CheckError(`${what}: got ${text(value)} instead of an error`);
}

function text(value: unknown): string {
  return value === undefined ? "undefined" : JSON.stringify(value);
}

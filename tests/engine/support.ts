// What the engine's tests share.
import { PagemarkError } from "pagemark";
import type { Database, Row } from "pagemark/engine";
import { expect } from "vitest";

/** The error of the package that `action` throws. */
export function thrownBy(action: () => unknown): PagemarkError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(PagemarkError);
    return error as PagemarkError;
  }
  throw new Error("it threw nothing");
}

/** The error of the package that `promise` is rejected with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<PagemarkError> {
  const error = await promise.then(
    () => new Error("it was not rejected"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PagemarkError);
  return error as PagemarkError;
}

export function codeOf(action: () => unknown): string {
  return thrownBy(action).code;
}

/** Every value of the first column. */
export function column(db: Database, sql: string): unknown[] {
  return db
    .prepare(sql)
    .values()
    .map(([value]) => value);
}

export function all(db: Database, sql: string): Row[] {
  return db.prepare(sql).all();
}

/** All of a stream, as bytes. */
export async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
}

/** Resolves after timers and streams had their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

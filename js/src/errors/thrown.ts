// Errors that cross from one thread or process to another: a clone keeps neither their class nor their code.
import { DamageError } from "./damage-error.ts";
import { PagemarkError, type Place } from "./pagemark-error.ts";
import { SourceError } from "./source-error.ts";
import { SqlError } from "./sql-error.ts";
import { StoreError } from "./store-error.ts";

/** An error, as it crosses. */
export interface Thrown {
  name: string;
  code: string;
  message: string;
  at: Place;
  sqlite?: number | undefined;
  /** Which of several queries failed, counted from 0. */
  query?: number | undefined;
}

/** What crosses of whatever was thrown. */
export function thrownOf(error: unknown): Thrown {
  if (error instanceof PagemarkError) {
    const { name, code, message, at, query } = error as PagemarkError & Pick<Thrown, "query">;
    return { name, code, message, at, query, ...(error instanceof SqlError && { sqlite: error.sqlite }) };
  }
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  return { name, code: "INTERNAL", message, at: {} };
}

/** The error as it was thrown at the other side. */
export function errorOf(thrown: Thrown): PagemarkError {
  const error = classOf(thrown);
  return thrown.query === undefined ? error : Object.assign(error, { query: thrown.query });
}

function classOf({ name, code, message, at, sqlite }: Thrown): PagemarkError {
  if (name === "SourceError") return new SourceError(code as `SOURCE_${string}`, message, at);
  if (name === "StoreError") return new StoreError(code as `STORE_${string}`, message, at);
  if (name === "DamageError") return new DamageError(code, message, at);
  if (name === "SqlError") return new SqlError(code, message, sqlite, at);
  return new PagemarkError(code, message, at);
}

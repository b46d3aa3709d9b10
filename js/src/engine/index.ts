export type {} from "../core/globals.ts";
export type { PageStore, Scratch } from "../core/index.ts";
export { SqlError } from "../errors/index.ts";
export {
  LiveDatabase,
  /** @deprecated the old name, which the class of `pagemark(…)` has, too */
  LiveDatabase as Database,
} from "./database.ts";
export { type DurableObjectStore, durableObjectStore } from "./durable-object-store.ts";
export type { Bytes, Text } from "./input.ts";
export { opfsPages } from "./opfs-pages.ts";
export type { OpenOptions } from "./options.ts";
export type { Check, CheckedObject, Hold, Imported, State, StateAt } from "./results.ts";
export type { Parameters, Row, RunResult, Statement } from "./statement.ts";
export type { IntegerOptions, SqlParameter, SqlValue } from "./values.ts";

export type { PageStore } from "../core/index.ts";
export { SqlError } from "../errors/index.ts";
export {
  type Check,
  Database,
  type Hold,
  type Imported,
  type OpenOptions,
  type State,
  type StateAt,
} from "./database.ts";
export { type DurableObjectStore, durableObjectStore } from "./durable-object-store.ts";
export type { Parameters, Row, RunResult, Statement } from "./statement.ts";
export type { IntegerOptions, SqlParameter, SqlValue } from "./values.ts";

import { D1Database } from "./database.ts";
import type { D1Options } from "./values.ts";
import type { PagemarkBinding } from "./wire.ts";

export type { D1Database, D1DatabaseSession } from "./database.ts";
export type { D1PreparedStatement, D1Result } from "./statement.ts";
export type { D1Meta, D1Options } from "./values.ts";
export type { PagemarkBinding } from "./wire.ts";

/**
 * The database of a service binding as a `D1Database`: what is written for D1 works with it unchanged.
 *
 * @example
 * ```ts
 * import { d1Database } from "pagemark/client";
 * const db = d1Database(env.DB);
 * await db.batch([db.prepare("INSERT INTO orders VALUES (?)").bind(7), db.prepare("SELECT * FROM orders")]);
 * ```
 */
export function d1Database(binding: PagemarkBinding, options: D1Options = {}): D1Database {
  return new D1Database(binding, options);
}

// examples/fleet, in which things go wrong: some tenants fail at their first backups, some are evicted in the middle.
import { Tenant as Example } from "../../examples/fleet/src/index.ts";

export * from "../../examples/fleet/src/index.ts";
export { default } from "../../examples/fleet/src/index.ts";

export class Tenant extends Example {
  /** Makes the tenant's database. */
  fill(name) {
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS notes (text)");
    sql.exec("INSERT INTO notes VALUES (?)", `of ${name}`);
  }

  async backup(name) {
    const { kv } = this.ctx.storage;
    const number = Number(name.replace(/\D+/g, ""));
    const attempts = (kv.get("attempts") ?? 0) + 1;
    kv.put("attempts", attempts);
    if (number % 7 === 3 && attempts <= 2) throw new Error("it fails twice");
    if (number % 11 === 5 && attempts === 1) setTimeout(() => this.ctx.abort("evicted"), 5);
    return super.backup(name);
  }
}

// What a user's Worker does with D1 and with a Durable Object's database; runs in workerd.
import { DurableObject } from "cloudflare:workers";

export class Holder extends DurableObject {
  /** Statement by statement in one transaction: each has the limit on its length for itself. */
  run(statements) {
    this.ctx.storage.transactionSync(() => {
      for (const sql of statements) this.ctx.storage.sql.exec(sql);
    });
    return [];
  }

  /** A row is an array: columns may have the same name. */
  rows(sql) {
    return [...this.ctx.storage.sql.exec(sql).raw()];
  }
}

const d1 = {
  /** As `wrangler d1 execute --local --file` does it: a batch is one transaction. */
  async run(db, statements) {
    await db.batch(statements.map((sql) => db.prepare(sql)));
    return [];
  },
  rows: (db, sql) => db.prepare(sql).raw(),
  /** As `wrangler d1 export --local` asks for it. */
  async export(db, { noSchema = false, noData = false, tables = [] }) {
    const query = db.prepare("PRAGMA miniflare_d1_export(?,?,?);").bind(noSchema, noData, ...tables);
    return (await query.raw())[0];
  },
};

export default {
  async fetch(request, env) {
    const { place, name, action, argument } = await request.json();
    try {
      const answer =
        place === "d1"
          ? await d1[action](env[name], argument)
          : await env.HOLDER.getByName(name)[action](argument);
      return Response.json(answer);
    } catch (error) {
      return new Response(error.message, { status: 500 });
    }
  },
};

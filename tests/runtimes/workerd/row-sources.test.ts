import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { d1, durableObject } from "pagemark";
import { rowSourceContract } from "../../contracts/row-source.ts";

let objects = 0;

rowSourceContract("a D1 database", async (action) => {
  const source = d1(env.D1);
  const { rows } = await source.ask([
    { sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('t', 'f')" },
  ]);
  const drops = rows[0]?.map(([name]) => `DROP TABLE ${name}`) ?? [];
  if (drops.length > 0) await source.write(drops);
  await action(source);
});

rowSourceContract("a Durable Object's storage", async (action) => {
  const stub = env.OBJECT.get(env.OBJECT.idFromName(`rows ${objects++}`));
  await runInDurableObject(stub, (_, { storage }) => action(durableObject(storage)));
});

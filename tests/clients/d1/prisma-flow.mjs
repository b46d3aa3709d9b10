// What Prisma's adapter does with a D1 database, whichever way it reaches it.

/** All that it gave. */
export async function prismaFlow(factory) {
  const adapter = await factory.connect();
  await adapter.executeScript(
    "DROP TABLE IF EXISTS things;\nCREATE TABLE things (id INTEGER PRIMARY KEY, label TEXT, data BLOB, big INTEGER, at DATETIME);",
  );
  const type = (scalarType, dbType) => ({ scalarType, dbType, arity: "scalar" });
  const gave = [adapter.provider, adapter.adapterName];
  gave.push(
    await adapter.executeRaw({
      sql: "INSERT INTO things (label, data, big, at) VALUES (?, ?, ?, ?)",
      args: ["one", "AAH/", "12345678901", "2026-01-02T03:04:05.000Z"],
      argTypes: [type("string"), type("bytes"), type("bigint"), type("datetime", "DATETIME")],
    }),
  );
  gave.push(await adapter.queryRaw({ sql: "SELECT * FROM things", args: [], argTypes: [] }));
  gave.push(
    await adapter.queryRaw({
      sql: "SELECT count(*) AS n FROM things WHERE id = ?",
      args: [1],
      argTypes: [type("int")],
    }),
  );
  const transaction = await adapter.startTransaction();
  await transaction.executeRaw({ sql: "UPDATE things SET label = 'two'", args: [], argTypes: [] });
  await transaction.commit();
  gave.push(await adapter.queryRaw({ sql: "SELECT label FROM things", args: [], argTypes: [] }));
  gave.push(
    await failing(adapter.queryRaw({ sql: "INSERT INTO things (id) VALUES (1)", args: [], argTypes: [] })),
  );
  await adapter.dispose();
  return gave;
}

/** What it says of a failure, and what is below it. */
export async function failing(action) {
  try {
    return await action;
  } catch (error) {
    const causes = [];
    for (let each = error; each; each = each.cause) causes.push(each.kind ?? each.message);
    return { threw: causes };
  }
}

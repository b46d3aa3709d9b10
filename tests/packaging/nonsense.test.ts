// Whatever a caller without types passes to anything that the package exports, or that this gives, is done or refused with a code.
import { DatabaseSync } from "node:sqlite";
import * as client from "pagemark/client";
import * as engine from "pagemark/engine";
import * as node from "pagemark/node";
import * as vault from "pagemark/vault";
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";

const root = tempFolder();
const NONSENSE = [undefined, null, 5, Number.NaN, true, "nowhere", {}, [], [null], () => 5];
/** In milliseconds: what waits for something else waits for ever. */
const PATIENCE = 50;

process.chdir(root);
const app = new DatabaseSync("app.db");
app.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES (1, 'x')");
app.close();

const { file, folder, memory, memoryStore, pagemark } = node;

/** What the exported functions give when they are called as documented. */
async function given(): Promise<Record<string, object>> {
  const store = memoryStore();
  const database = pagemark(file("app.db"), { store });
  await database.backup();
  const live = await engine.LiveDatabase.open({ name: "live" });
  return {
    file: file("app.db"),
    memory: memory(new Uint8Array(512)),
    folder: folder("store"),
    memoryStore: store,
    Database: database,
    Backups: await node.Backups.open("app", store),
    LiveDatabase: live,
    Statement: live.prepare("SELECT 1"),
    Vault: vault.openVault({ databases: {}, store }),
  };
}

test.each([
  ["pagemark", node],
  ["pagemark/engine", engine],
  ["pagemark/vault", vault],
  ["pagemark/client", client],
])("%s", async (_, exports) => {
  const wrong = Object.entries(exports).map(async ([name, value]) => {
    if (typeof value !== "function" || value.prototype instanceof Error) return [];
    const own = Object.getOwnPropertyNames(value).filter((key) => typeof value[key as never] === "function");
    const statics = own.map((key) =>
      tried(`${name}.${key}`, (args) => (value[key as never] as Call)(...args)),
    );
    const call = isClass(value)
      ? (args: unknown[]) => Reflect.construct(value, args)
      : (args: unknown[]) => (value as Call)(...args);
    return [tried(name, call), ...statics];
  });
  expect((await Promise.all((await Promise.all(wrong)).flat())).flat()).toEqual([]);
});

test("what they give", async () => {
  const objects = await given();
  const wrong = Object.entries(objects).flatMap(([name, object]) =>
    methodsOf(object).map((key) =>
      tried(`${name}.${key}`, (args) => (object[key as never] as Call).apply(object, args)),
    ),
  );
  expect((await Promise.all(wrong)).flat()).toEqual([]);
});

type Call = (...args: unknown[]) => unknown;

function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

function methodsOf(object: object): string[] {
  const found = new Set<string>();
  for (let at: object | null = object; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const key of Object.getOwnPropertyNames(at)) {
      const value = Object.getOwnPropertyDescriptor(at, key)?.value;
      if (typeof value === "function" && key !== "constructor") found.add(key);
    }
  }
  // What closes would leave nothing to try; the others are called by Pagemark alone.
  return [...found].filter(
    (key) =>
      !/^(close|release|free|finalize|decode|begin|create|takeBack|noteVerified|removalKeys|renameTable|replaceTables)$/.test(
        key,
      ),
  );
}

/** What was wrong with the calls: errors without a code. */
async function tried(name: string, call: (args: unknown[]) => unknown): Promise<string[]> {
  const wrong: string[] = [];
  for (const value of NONSENSE) {
    for (const args of [[value], [value, value], [value, undefined, value]]) {
      const error = await failureOf(() => call(args));
      const code = (error as { code?: unknown } | undefined)?.code;
      if (error === undefined || (error instanceof node.PagemarkError && code !== "INTERNAL")) continue;
      wrong.push(`${name}(${args.map(String).join(", ")}): ${error}`);
    }
  }
  return wrong;
}

async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    const given = call();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, PATIENCE);
    });
    const result = await Promise.race([given, patience]);
    clearTimeout(timer);
    if (result instanceof ReadableStream) await result.cancel();
    else if (typeof (result as AsyncIterator<unknown>)?.next === "function")
      await (result as AsyncIterator<unknown>).next();
    return undefined;
  } catch (error) {
    return error;
  }
}

test.each([
  ["restore", { id: "00000000" }],
  ["restore", { bookmark: "latest", safety: false }],
  ["preview", { time: new Date(0) }],
  ["dump", { backup: "00000000" }],
  ["prune", { keepDayly: 7, keepLast: 1 }],
])(
  "%s(%j) is refused: without the misspelled option, another thing would be done",
  async (method, options) => {
    const database = pagemark(file("app.db"), { store: memoryStore() }) as unknown as Record<string, Call>;
    const [name = ""] = Object.keys(options);
    await expect(database[method]?.(options)).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining(`no option "${name}"`),
    });
  },
);

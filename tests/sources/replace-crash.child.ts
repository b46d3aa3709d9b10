// Replaces the database at argv[2] by the one at argv[3], and is killed around the argv[4]th call to the file system or
// to SQLite: before or after it, as argv[5] says; of a write half is done. Ends with 0 when it did fewer calls.
import { createReadStream } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { file } from "pagemark";
import { watch } from "../stores/folder-calls.ts";

const [, , path = "", replacement = "", last, when] = process.argv;
let calls = 0;

function count<T>(next: () => T): T {
  if (++calls !== Number(last)) return next();
  if (when === "before") process.kill(process.pid, "SIGKILL");
  const result = next();
  if (!(result instanceof Promise)) process.kill(process.pid, "SIGKILL");
  return (result as Promise<unknown>).finally(() => process.kill(process.pid, "SIGKILL")) as T;
}

const { exec, close } = DatabaseSync.prototype;
DatabaseSync.prototype.exec = function (sql) {
  // One statement at a time: each is a step.
  for (const statement of sql.split(";")) count(() => exec.call(this, statement));
};
DatabaseSync.prototype.close = function () {
  count(() => close.call(this));
};
await watch(({ name, args }, next) =>
  count(async () => {
    if (calls === Number(last) && name === "handle.write") args[2] = Math.floor(Number(args[2]) / 2);
    return await next();
  }),
);
const body = Readable.toWeb(createReadStream(replacement, { highWaterMark: 16_384 }));
await file(path).replace?.(body as ReadableStream<Uint8Array>);

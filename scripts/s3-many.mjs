// s3-many.mjs [objects]: that many objects under one prefix of a bucket (moto's server, from .cache/s3), listed page by page;
// then how long one object and one delete take beside them, and 5,000 deletes, 64 at a time. Prints its figures as JSON.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { AwsClient } from "aws4fetch";
import { s3 } from "pagemark";
import { root } from "./lib/run.mjs";

const count = Number(process.argv[2] ?? 50_000);
const port = Number(process.env.PORT ?? 18_390);
const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret-of-the-script" };
const endpoint = `http://127.0.0.1:${port}`;
const code = "import sys; from moto.server import main; main(sys.argv[1:])";
const server = spawn("python3", ["-c", code, "-H", "127.0.0.1", "-p", String(port)], {
  env: { ...process.env, PYTHONPATH: join(root, ".cache/s3/python") },
  stdio: "ignore",
});
process.on("exit", () => server.kill("SIGKILL"));
const client = new AwsClient({ ...keys, service: "s3", region: "us-east-1", retries: 0 });
for (let n = 0; n < 600 && !(await fetch(endpoint).catch(() => undefined)); n++)
  await new Promise((resolve) => setTimeout(resolve, 100));
await client.fetch(`${endpoint}/many`, { method: "PUT" });
const store = s3({ bucket: "many", endpoint, credentials: keys });

const timed = async (work) => {
  const begun = performance.now();
  const result = await work();
  return [Math.round(performance.now() - begun), result];
};
const nameOf = (n) => `db/ltx/0/${String(n).padStart(16, "0")}`;
const names = Array.from({ length: count }, (_, n) => nameOf(n));
const [putMs] = await timed(async () => {
  const left = names.values();
  const lane = async () => {
    for (const name of left) await store.put(name, new Uint8Array(100));
  };
  await Promise.all(Array.from({ length: 16 }, lane));
});
const before = process.memoryUsage().rss;
const [listMs, listed] = await timed(async () => {
  let [found, pages, cursor] = [0, 0, undefined];
  do {
    const page = await store.list("db/", { cursor });
    for (const { key } of page.objects) {
      if (key !== names[found]) throw new Error(`object ${found} is ${key}`);
      found++;
    }
    pages++;
    cursor = page.cursor;
  } while (cursor !== undefined);
  return { found, pages };
});
if (listed.found !== count) throw new Error(`${listed.found} of ${count} objects are listed`);
const [headMs] = await timed(() => store.head(names[count >> 1]));
const [deleteMs] = await timed(() => store.delete(names[0]));
const going = names.slice(1, 5001);
const [deleteManyMs] = await timed(async () => {
  for (let at = 0; at < going.length; at += 64)
    await Promise.all(going.slice(at, at + 64).map((name) => store.delete(name)));
});
const memory = Math.round((process.memoryUsage().rss - before) / 2 ** 20);
console.log(
  JSON.stringify({
    count,
    putMs,
    listMs,
    pages: listed.pages,
    headMs,
    deleteMs,
    deleteManyMs,
    memoryMiB: memory,
  }),
);
process.exit(0);

// Stored backups on an S3 server on loopback (moto's, from .cache/s3): what it takes to open one and look a row up, and to tell two
// apart. `node scripts/bench-stored.mjs [MB to open] [MB to compare]`; 1,000 and 300 unless given.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { AwsClient } from "aws4fetch";
import { Backups, file, openStore, pagemark } from "pagemark";
import { openBackup } from "pagemark/engine";
import { makeDatabase } from "./lib/bench-database.mjs";
import { median } from "./lib/measure.mjs";
import { root } from "./lib/run.mjs";

const { DatabaseSync } = await import("node:sqlite");
const RUNS = 5;
const [toOpen = 1000, toCompare = 300] = process.argv.slice(2).map(Number);
const port = Number(process.env.PORT ?? 18_390);
Object.assign(process.env, { AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "of-the-bench" });
const folder = mkdtempSync(join(tmpdir(), "bench-stored-"));
const server = await startServer();
const relay = await startRelay();
const from = `s3://bench/stored?endpoint=http://127.0.0.1:${relay.port}`;

try {
  console.table([await opening(), await comparing("incremental"), await comparing("full")]);
} finally {
  server.kill("SIGKILL");
  await relay.worker.terminate();
  rmSync(folder, { recursive: true });
}

/** The newest backup opened as a database, and a row looked up by its key. */
async function opening() {
  const path = await backedUp("open", toOpen);
  const measured = await repeated(async (run) => {
    const opened = await openBackup(from, "open");
    const id = 1 + ((run * 7919 * 131) % 100_000);
    const row = opened.database.prepare("SELECT total FROM orders WHERE id = ?").get(id);
    if (row?.total === undefined) throw new Error(`there is no row ${id}`);
    return () => opened.close();
  });
  return { what: `open, and a row by its key, ${megabytes(path)} MB`, ...measured };
}

/** Two states with 100 changed rows between them, of which the later is stored as a backup of this kind. */
async function comparing(kind) {
  const name = `compare-${kind}`;
  const path = await backedUp(name, toCompare);
  const db = new DatabaseSync(path);
  const rows = db.prepare("SELECT max(id) AS rows FROM orders").get().rows;
  const update = db.prepare("UPDATE orders SET total = total + 1 WHERE id = ?");
  for (let n = 0; n < 100; n++) update.run(1 + Math.floor(((n + 0.5) * rows) / 100));
  db.close();
  await pagemark(file(path), { name, store: openStore(from) }).backup({ full: kind === "full" });
  const backups = await Backups.open(name, openStore(from));
  const measured = await repeated(async () => {
    const { tables } = await backups.diff("0000000000000001", "0000000000000002");
    const { rows } = tables.find((table) => table.name === "orders");
    if (rows?.updated !== 100) throw new Error(`100 rows changed, and diff says ${JSON.stringify(rows)}`);
  });
  return { what: `diff of 100 rows, the later ${kind}, ${megabytes(path)} MB`, ...measured };
}

async function backedUp(name, size) {
  const path = join(folder, `${name}.db`);
  makeDatabase(path, size * 1e6);
  await pagemark(file(path), { name, store: openStore(from) }).backup();
  return path;
}

async function repeated(work) {
  const [times, read] = [[], []];
  for (let run = 0; run < RUNS; run++) {
    const [begun, before] = [performance.now(), relay.bytes()];
    const after = await work(run);
    times.push(performance.now() - begun);
    read.push(relay.bytes() - before);
    await after?.();
  }
  return {
    "median ms": Math.round(median(times)),
    "min ms": Math.round(Math.min(...times)),
    "max ms": Math.round(Math.max(...times)),
    "kB from the server": Math.round(Math.max(...read) / 1e3),
  };
}

function megabytes(path) {
  return Math.round(statSync(path).size / 1e6);
}

async function startServer() {
  const code = "import sys; from moto.server import main; main(sys.argv[1:])";
  const server = spawn("python3", ["-c", code, "-H", "127.0.0.1", "-p", String(port)], {
    env: { ...process.env, PYTHONPATH: join(root, ".cache/s3/python") },
    stdio: "ignore",
  });
  process.on("exit", () => server.kill("SIGKILL"));
  const endpoint = `http://127.0.0.1:${port}`;
  for (let n = 0; n < 600 && !(await fetch(endpoint).catch(() => undefined)); n++)
    await new Promise((resolve) => setTimeout(resolve, 100));
  const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "of-the-bench" };
  const client = new AwsClient({ ...keys, service: "s3", region: "us-east-1", retries: 0 });
  await client.fetch(`${endpoint}/bench`, { method: "PUT" });
  return server;
}

/** Passes everything on, and counts what the server says; in a thread, as an opened backup lets this one stand still. */
async function startRelay() {
  const shared = new SharedArrayBuffer(8);
  const code = `
    const { workerData, parentPort } = require("node:worker_threads");
    const net = require("node:net");
    const count = new BigInt64Array(workerData.shared);
    const relay = net.createServer({ noDelay: true }, (near) => {
      const far = net.connect({ port: workerData.port, host: "127.0.0.1", noDelay: true });
      far.on("data", (bytes) => Atomics.add(count, 0, BigInt(bytes.length)));
      near.pipe(far);
      // moto ends every connection, which Node's fetch does not bear while a body waits to be read: it ends them itself.
      far.pipe(near, { end: false });
      near.on("close", () => far.destroy());
      for (const end of [near, far]) end.on("error", () => (near.destroy(), far.destroy()));
    });
    relay.listen(0, "127.0.0.1", () => parentPort.postMessage(relay.address().port));`;
  const worker = new Worker(code, { eval: true, workerData: { shared, port } });
  const [listening] = await once(worker, "message");
  return { worker, port: listening, bytes: () => Number(Atomics.load(new BigInt64Array(shared), 0)) };
}

// Puts an object of argv[3] MiB in the folder of argv[2] and reads it in two ways. Prints, as JSON, by how many MiB the
// memory of the process grew at most meanwhile.
import { folder as folderStore } from "pagemark";
import { bytes } from "../contracts/store-cases/bytes.ts";

const MiB = 1024 * 1024;
const CHUNK = MiB / 2;
const [, , folder = "", size = "0"] = process.argv;
const total = Number(size) * MiB;
const store = folderStore(folder);
const chunk = bytes(CHUNK);
let before = 0;
let most = 0;

await all("warm/up", CHUNK); // loads code and starts threads
before = process.memoryUsage.rss();
console.log(JSON.stringify(await all("db/object", total)));

async function all(key: string, length: number) {
  const put = await grown(() => store.put(key, bodyOf(length)));
  const into = await grown(() => readInto(key)); // first: what the next one leaves is not given back
  const get = await grown(() => readDefault(key));
  return { put, get, into };
}

async function grown(use: () => Promise<void>): Promise<number> {
  most = 0;
  await use();
  return Math.round((most - before) / MiB);
}

function look() {
  most = Math.max(most, process.memoryUsage.rss());
}

/** The same chunk again and again: none of the memory is the body's. */
function bodyOf(length: number): ReadableStream<Uint8Array> {
  let left = length;
  return new ReadableStream({
    pull(controller) {
      look();
      if (left === 0) return controller.close();
      controller.enqueue(chunk);
      left -= CHUNK;
    },
  });
}

async function readDefault(key: string) {
  const reader = (await store.get(key)).getReader();
  while (!(await reader.read()).done) look();
}

async function readInto(key: string) {
  const reader = (await store.get(key)).getReader({ mode: "byob" });
  for (let buffer = new ArrayBuffer(CHUNK); ; ) {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    if (done) return;
    buffer = value.buffer;
    look();
  }
}

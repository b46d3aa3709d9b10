// The thread of backup-pages.node.ts: fetches pages of one stored backup, and proves them.
import { parentPort, workerData } from "node:worker_threads";
import { Backups } from "../backups/backups.ts";
import { failureOf } from "../core/errors.ts";
import { usePlatform } from "../core/index.ts";
import { nodePlatform } from "../core/platform.node.ts";
import { openStore } from "../places/open-store.node.ts";
import { type ReaderData, type ReaderReady, Slot, State } from "./backup-pages.node.ts";

usePlatform(nodePlatform);

const { from, name, at, fromLocality, slots, room } = workerData as ReaderData;
const told = new Int32Array(slots);
const pages = new Uint8Array(room);

const warnings: string[] = [];
const opening = Backups.open(name, openStore(from, { fromLocality })).then((backups) =>
  backups.pages(at, { reach: "some", onWarning: (message) => void warnings.push(message) }),
);
opening.then(
  ({ pageSize, pageCount, backup }) => ready({ pageSize, pageCount, warnings, ...(backup && { backup }) }),
  (error) => ready({ error: failureOf(error) }),
);

parentPort?.on("message", async ([first, count]: [number, number]) => {
  try {
    const moment = await opening;
    const read = new Uint8Array(count * moment.pageSize);
    await moment.read(first, read);
    pages.set(read);
    answer(State.done);
  } catch (error) {
    const said = new TextEncoder().encode(JSON.stringify(failureOf(error)));
    pages.set(said.subarray(0, pages.length));
    Atomics.store(told, Slot.length, Math.min(said.length, pages.length));
    answer(State.failed);
  }
});

function ready(what: ReaderReady): void {
  parentPort?.postMessage(what);
}

function answer(state: number): void {
  Atomics.store(told, Slot.state, state);
  Atomics.notify(told, Slot.state);
}

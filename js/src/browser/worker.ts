// What runs in the worker that a page starts.
import { pagemark } from "../backups/database.ts";
import { PagemarkError } from "../errors/index.ts";
import { opfs } from "../sources/opfs.ts";
import { opfsStore } from "../stores/opfs.ts";
import type { JobOptions } from "../streams/progress.ts";
import type { Answer, Request, Subject, Thrown, Work } from "./messages.ts";

/** Progress is told no oftener, in milliseconds: each message is work for the page. */
const TELL_MS = 50;

interface Port {
  postMessage(answer: Answer, transfer?: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<Request>) => void): void;
}

/** Does what comes over `port`, until its page goes. */
export function serve(port: Port): void {
  const running = new Map<number, AbortController>();
  port.addEventListener("message", ({ data }) => {
    if ("abort" in data) running.get(data.id)?.abort();
    else void answer(port, data, running);
  });
}

async function answer(
  port: Port,
  { id, subject, method, options: plain }: Exclude<Request, { abort: true }>,
  running: Map<number, AbortController>,
): Promise<void> {
  const aborter = new AbortController();
  running.set(id, aborter);
  let told = 0;
  const options = {
    ...(plain as object),
    signal: aborter.signal,
    onWarning: (warning: string) => port.postMessage({ id, warning }),
    onProgress: (progress: Parameters<NonNullable<JobOptions["onProgress"]>>[0]) => {
      const isDue = performance.now() - told > TELL_MS || progress.done === progress.total;
      if (!isDue) return;
      told = performance.now();
      port.postMessage({ id, progress });
    },
  };
  try {
    const value = await perform(subject, method, options);
    port.postMessage({ id, value }, value instanceof ReadableStream ? [value] : []);
  } catch (error) {
    port.postMessage({ id, thrown: thrownOf(error) });
  } finally {
    running.delete(id);
  }
}

async function perform(subject: Subject, method: keyof Work, options: object): Promise<unknown> {
  const { database, store, name, ...more } = subject;
  const db = pagemark(opfs(database, more), { store: opfsStore(store), ...(name !== undefined && { name }) });
  const { at, id = "" } = options as { at?: string; id?: string };
  switch (method) {
    case "backup":
      return db.backup(options);
    case "list":
      return Array.fromAsync(db.backups(options));
    case "restore":
      return db.restore(options);
    case "verify":
      return db.verify(options);
    case "download":
      return db.download(at, options);
    case "dump":
      return db.dump(options);
    case "delete":
      return db.delete(id, options);
  }
}

function thrownOf(error: unknown): Thrown {
  if (error instanceof PagemarkError) {
    const { name, code, message, at } = error;
    return { name, code, message, at };
  }
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  return { name, code: "INTERNAL", message, at: {} };
}

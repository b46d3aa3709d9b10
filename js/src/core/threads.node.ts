import { pathToFileURL } from "node:url";
import { type ResourceLimits, Worker } from "node:worker_threads";

declare const __filename: string;

/** Where this module is. In a program bundled as CommonJS `import.meta` is empty. */
export const here: string | URL = import.meta.url ?? pathToFileURL(__filename);

/** A thread that may never come to life. */
export interface Thread {
  worker: Worker;
  /** Whether it listens; `false` where it has ended before, as without a file to run. */
  ready: Promise<boolean>;
}

/**
 * Starts the thread of `<name>-worker.node.ts`, which posts any message once it listens. A thread only makes a job
 * faster: whoever starts one must get on without it. It is missing in a program bundled into one file, for example, or
 * where no further thread is allowed.
 *
 * @returns nothing where the runtime refuses at once
 */
export function startThread(
  name: "dump" | "pack" | "restore",
  workerData: unknown,
  resourceLimits: ResourceLimits,
): Thread | undefined {
  let worker: Worker;
  try {
    worker = new Worker(new URL(`./${name}-worker.node.js`, here), { workerData, resourceLimits });
  } catch {
    return undefined;
  }
  const ready = new Promise<boolean>((resolve) => {
    worker.once("message", () => resolve(true));
    // Unheard, it would end the process.
    worker.on("error", () => resolve(false));
    worker.once("exit", () => resolve(false));
  });
  return { worker, ready };
}

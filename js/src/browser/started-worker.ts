import { PagemarkError } from "../errors/index.ts";

/** The workers of `pagemark/browser`, by what a worker of one's own imports: `pagemark/browser/…`. */
export type WorkerName = "worker" | "database-worker";

interface Listener {
  // biome-ignore lint/suspicious/noExplicitAny: each listener knows what its worker says
  hear(message: any): void;
  fail(error: PagemarkError): void;
}

/**
 * A worker of a page: one of its own, or the one that `start` starts from its script. Some bundlers do not put that beside the page,
 * and a page may not start one of another origin: it is then started from a text.
 */
export class StartedWorker {
  readonly #name: WorkerName;
  readonly #text: () => Promise<readonly string[]>;
  readonly #listener: Listener;
  #worker: Worker | undefined;
  /** What was said until it answered: a second one is told all of it. */
  #said: unknown[] | undefined = [];
  #isLast: boolean;
  #isClosed = false;

  /** @param text its script, in pieces */
  constructor(
    name: WorkerName,
    own: Worker | undefined,
    start: () => Worker,
    text: () => Promise<readonly string[]>,
    listener: Listener,
  ) {
    this.#name = name;
    this.#text = text;
    this.#listener = listener;
    this.#isLast = own !== undefined;
    try {
      this.#use(own ?? start());
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
    }
  }

  post(message: unknown): void {
    // First: what cannot cross throws here.
    this.#worker?.postMessage(message);
    this.#said?.push(this.#worker ? message : structuredClone(message));
  }

  terminate(): void {
    this.#isClosed = true;
    this.#worker?.terminate();
  }

  #use(worker: Worker): void {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => {
      this.#said = undefined;
      this.#listener.hear(data);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#failed(event.message || "its script was not found");
    });
  }

  #failed(reason: string): void {
    this.#worker = undefined;
    if (!this.#isLast && this.#said) {
      this.#isLast = true;
      this.#startFromText().catch((error) => this.#failed(`${reason}; ${error.message}`));
      return;
    }
    const message = `Pagemark's worker did not start (${reason}); give one that imports "pagemark/browser/${this.#name}" as the option worker, or allow worker-src blob: in the page's policy`;
    this.#listener.fail(new PagemarkError("WORKER_LOAD", message));
  }

  async #startFromText(): Promise<void> {
    const script = new Blob([...(await this.#text())], { type: "text/javascript" });
    if (this.#isClosed) return;
    const url = URL.createObjectURL(script);
    const worker = new Worker(url);
    worker.addEventListener("message", () => URL.revokeObjectURL(url), { once: true });
    this.#use(worker);
    for (const message of this.#said ?? []) worker.postMessage(message);
  }
}

import { PagemarkError } from "../errors/index.ts";

interface Waiting {
  enter(): void;
  refuse(error: unknown): void;
  timer: ReturnType<typeof setTimeout>;
}

/** So many requests wait at most, and for so long, in milliseconds. */
const MOST_WAITING = 1000;
const LONGEST_WAIT_MS = 30_000;

/** Holds requests back while the database is replaced, and lets them in afterwards, in the order in which they came. */
export class Gate {
  #closedFor: string | undefined;
  #ended: { error: unknown } | undefined;
  readonly #waiting = new Set<Waiting>();

  /** What it is closed for. */
  get closedFor(): string | undefined {
    return this.#closedFor;
  }

  /** Nobody enters from now on; `reason` completes "the database is …". */
  close(reason: string): void {
    this.#closedFor = reason;
  }

  /** Nobody enters ever again, nor waits. */
  end(error: unknown): void {
    this.#ended = { error };
    this.#closedFor = "over";
    for (const { refuse, timer } of this.#waiting) {
      clearTimeout(timer);
      refuse(error);
    }
    this.#waiting.clear();
  }

  open(): void {
    if (this.#ended) return;
    this.#closedFor = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { enter, timer } of waiting) {
      clearTimeout(timer);
      enter();
    }
  }

  /**
   * Waits while it is closed.
   *
   * @throws PagemarkError `OVERLOADED` when too many wait already, or it took too long; nothing was done then
   */
  async enter(): Promise<void> {
    // Closed again for another reason before this one's turn came: it waits again.
    while (this.#closedFor !== undefined) await this.#wait(this.#closedFor);
  }

  #wait(reason: string): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended.error);
    const overloaded = (why: string) =>
      new PagemarkError("OVERLOADED", `the database is ${reason}, and ${why}; try again in a moment`);
    if (this.#waiting.size >= MOST_WAITING) {
      return Promise.reject(overloaded(`${MOST_WAITING} requests wait for it already`));
    }
    return new Promise((enter, refuse) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        refuse(overloaded(`this request has waited for ${LONGEST_WAIT_MS / 1000} s`));
      }, LONGEST_WAIT_MS);
      const waiting: Waiting = { enter, refuse, timer };
      this.#waiting.add(waiting);
    });
  }
}

/**
 * Cuts long work into turns: an invocation has only so much processor time, so the work waits after each turn until the
 * next alarm gives it another.
 */
export class Turns {
  readonly #ask: () => Promise<void>;
  #give: (() => void) | undefined;
  #refuse: ((error: unknown) => void) | undefined;
  #stopped: { error: unknown } | undefined;
  /** Ends when the turn that was given does. */
  #turn: Promise<void> = Promise.resolve();
  #endTurn: (() => void) | undefined;

  /** `ask` sees to it that {@link give} is called soon, by another invocation. */
  constructor(ask: () => Promise<void>) {
    this.#ask = ask;
  }

  /** For the work: it begins, with a turn. */
  begin(): void {
    this.#turn = new Promise((resolve) => {
      this.#endTurn = resolve;
    });
  }

  /** For the work: this turn has ended; resolves when the next one begins. */
  async next(): Promise<void> {
    if (this.#stopped) throw this.#stopped.error;
    const given = new Promise<void>((resolve, reject) => {
      this.#give = resolve;
      this.#refuse = reject;
    });
    given.catch(() => {});
    this.end();
    await this.#ask();
    await given;
  }

  /** There are no more turns: work that waits for one, or asks for one, gets `error`. */
  stop(error: unknown): void {
    this.#stopped = { error };
    this.#refuse?.(error);
  }

  /** For the work: there is no more. */
  end(): void {
    this.#endTurn?.();
    this.#endTurn = undefined;
  }

  /** For the invocation: gives the work a turn if it waits for one, and waits until that has ended. */
  async give(): Promise<void> {
    const give = this.#give;
    this.#give = undefined;
    if (give) {
      this.begin();
      give();
    }
    await this.#turn;
  }

  /** `body`, of which so many bytes come in each turn. */
  slices(body: ReadableStream<Uint8Array>, bytes: number): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    let left = bytes;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (left <= 0) {
            await this.next();
            left = bytes;
          }
          const { done, value } = await reader.read();
          if (done) return controller.close();
          left -= value.length;
          controller.enqueue(value);
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }
}

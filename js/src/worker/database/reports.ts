import type { Size as Measured } from "./measure.ts";

type Size = Omit<Measured, "schema">;

/** What grows with every write is told once in so many milliseconds. */
const PAUSE_MS = 1000;

/** Tells the registry what lists show: only when it changed, one report at a time, and the newest. */
export class Reports {
  readonly #send: (tables: number, size: number) => Promise<void>;
  #newest: Size | undefined;
  #told: Size | undefined;
  #toldMs = 0;
  #hurry: () => void = () => {};
  #telling: Promise<void> | undefined;

  constructor(send: (tables: number, size: number) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves when the registry knows. */
  async tell(newest: Size): Promise<void> {
    if (newest.tables !== this.#newest?.tables) this.#hurry();
    this.#newest = newest;
    this.#telling ??= this.#tellNewest().finally(() => {
      this.#telling = undefined;
    });
    await this.#telling;
  }

  async #tellNewest(): Promise<void> {
    while (this.#newest && !isEqual(this.#newest, this.#told)) {
      const pause = this.#toldMs + PAUSE_MS - Date.now();
      if (pause > 0 && this.#newest.tables === this.#told?.tables) {
        await Promise.race([scheduler.wait(pause), new Promise<void>((hurry) => (this.#hurry = hurry))]);
      }
      const { tables, size } = this.#newest;
      await this.#send(tables, size);
      this.#told = { tables, size };
      this.#toldMs = Date.now();
    }
  }
}

function isEqual(a: Size, b: Size | undefined): boolean {
  return a.tables === b?.tables && a.size === b.size;
}

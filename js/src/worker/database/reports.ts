interface Size {
  tables: number;
  size: number;
}

/** Tells the registry what lists show: only when it changed, one report at a time, and the newest. */
export class Reports {
  readonly #send: (tables: number, size: number) => Promise<void>;
  #newest: Size | undefined;
  #told: Size | undefined;
  #telling: Promise<void> | undefined;

  constructor(send: (tables: number, size: number) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves when the registry knows. */
  async tell(newest: Size): Promise<void> {
    this.#newest = newest;
    this.#telling ??= this.#tellNewest().finally(() => {
      this.#telling = undefined;
    });
    await this.#telling;
  }

  async #tellNewest(): Promise<void> {
    while (this.#newest && !isEqual(this.#newest, this.#told)) {
      const { tables, size } = this.#newest;
      await this.#send(tables, size);
      this.#told = { tables, size };
    }
  }
}

function isEqual(a: Size, b: Size | undefined): boolean {
  return a.tables === b?.tables && a.size === b.size;
}

/** Calls of an object that are under way: when its database is deleted, all of them end at once. */
export class Callers {
  readonly #refusals = new Set<(error: unknown) => void>();

  /** What `call` gives; or the error of {@link end}, when that comes first. Then the call goes on, but nobody hears of it. */
  wait<T>(call: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, refuse) => {
      this.#refusals.add(refuse);
      const heard = () => this.#refusals.delete(refuse);
      call.then(resolve, refuse).finally(heard);
    });
  }

  end(error: unknown): void {
    for (const refuse of this.#refusals) refuse(error);
    this.#refusals.clear();
  }
}

// What every store must do. Each driver's test calls `storeContract`; where vitest is not to be had, such as in a page
// of a browser, `storeCases` are run as they are: those files import nothing but one another.
import type { Store } from "pagemark";
import { describe, test } from "vitest";
import { storeCases, type Traits } from "./store-cases/index.ts";

export interface Made {
  /** Empty, and this test's alone. */
  store: Store;
  cleanup?: () => unknown;
}

/** In milliseconds: for a store at the other end of a network, or a disk that is busy. */
const TIMEOUT = 60_000;

/** Registers the suite for the driver `name`. */
export function storeContract(
  name: string,
  makeStore: () => Promise<Made>,
  traits: Partial<Traits> = {},
): void {
  describe(`${name} is a store`, () => {
    for (const [title, run] of storeCases(traits)) {
      test(
        title,
        async () => {
          const { store, cleanup } = await makeStore();
          try {
            await run(store);
          } finally {
            await cleanup?.();
          }
        },
        TIMEOUT,
      );
    }
  });
}

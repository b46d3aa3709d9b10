// What every source of pages must do. Each driver's test calls `sourceContract`; where vitest is not to be had, such as
// in a page of a browser, `sourceCases` are run as they are: those files import nothing but one another.
import type { PageSource } from "pagemark";
import { describe, test } from "vitest";
import { sourceCases } from "./source-cases/index.ts";

export interface MadeSource {
  source: PageSource;
  cleanup?: () => unknown;
}

/** In milliseconds: for a source at the other end of a network, or a disk that is busy. */
const TIMEOUT = 60_000;

/** Registers the suite for the driver `name`; `makeSource` makes a source of the database that consists of `image`. */
export function sourceContract(
  name: string,
  makeSource: (image: Uint8Array<ArrayBuffer>) => Promise<MadeSource>,
): void {
  describe(`${name} is a source`, () => {
    for (const [title, image, run] of sourceCases) {
      test(
        title,
        async () => {
          const { source, cleanup } = await makeSource(image());
          try {
            await run(source, image());
          } finally {
            await cleanup?.();
          }
        },
        TIMEOUT,
      );
    }
  });
}

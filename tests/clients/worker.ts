// The real Worker on local workerd, for clients that know only its address: one for a test file, gone at its end.
import { join } from "node:path";
import { afterAll, beforeAll, vi } from "vitest";
import { type Caller, QUIET, startWorkers, type Workers, wranglerMain } from "../../scripts/lib/workers.mjs";
import { READ_TOKEN, TestApi, TOKEN } from "./api.ts";

export { QUIET, wranglerMain };

export class TestWorker extends TestApi {
  #workers: Workers | undefined;

  /** With these settings beside the tokens, and Workers that bind it. */
  constructor(settings: Record<string, string> = {}, callers: () => Promise<Caller[]> = async () => []) {
    super();
    // Clients take seconds to start, and more where other tests run at the same time.
    vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
    beforeAll(async () => {
      this.#workers = await startWorkers({
        state: join(this.folder, "state"),
        callers: await callers(),
        bindings: {
          PAGEMARK_TOKEN: TOKEN,
          PAGEMARK_READ_TOKEN: READ_TOKEN,
          PAGEMARK_SCHEDULE: "off",
          ...settings,
        },
      });
    });
    afterAll(() => this.#workers?.stop());
  }

  get url(): string {
    return this.#up.url;
  }

  /** Where worker-example answers. */
  get exampleUrl(): string {
    return this.#up.exampleUrl;
  }

  /** Where a caller answers. */
  callerUrl(name: string): string {
    const url = this.#up.callerUrls[name];
    if (url === undefined) throw new Error(`there is no caller ${name}`);
    return url;
  }

  get #up(): Workers {
    if (!this.#workers) throw new Error("the Worker is not up");
    return this.#workers;
  }
}

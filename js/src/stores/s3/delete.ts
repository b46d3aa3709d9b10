// Deleting objects: those that are asked for at the same time go with one request, where the service has that.
import { StoreError } from "../../errors/store-error.ts";
import { isMissing, S3Refusal } from "./errors.ts";
import type { S3Calls } from "./find.ts";
import { elements, escaped, textOf } from "./xml.ts";

/** As many as a request may name. */
const MOST_KEYS = 1000;
/** Says for a single object that the service had no time for it. */
const PASSING = new Set(["InternalError", "ServiceUnavailable", "SlowDown"]);

interface Deletion {
  key: string;
  signal: AbortSignal | undefined;
  done(): void;
  failed(error: unknown): void;
}

/** Deletes objects of a bucket. */
export class S3Deletions {
  readonly #calls: S3Calls;
  /** Asked for since the event loop's last turn. */
  #waiting: Deletion[] = [];
  /** Whether the service has refused to delete several with one request. */
  #isOneByOne = false;

  constructor(calls: S3Calls) {
    this.#calls = calls;
  }

  /** Deletes an object; does nothing when there is none. @throws StoreError */
  async delete(key: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#isOneByOne) return this.#one(key, signal);
    await new Promise<void>((done, failed) => {
      if (this.#waiting.length === 0) setTimeout(() => this.#begin());
      this.#waiting.push({ key, signal, done, failed });
    });
  }

  #begin(): void {
    const all = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < all.length; at += MOST_KEYS) {
      const some = all.slice(at, at + MOST_KEYS);
      this.#several(some).catch((error) => {
        for (const each of some) each.failed(error);
      });
    }
  }

  async #several(all: readonly Deletion[]): Promise<void> {
    for (const { signal, failed } of all) if (signal?.aborted) failed(signal.reason);
    const deletions = all.filter(({ signal }) => !signal?.aborted);
    const refused = deletions.length > 1 ? await this.#atOnce(deletions) : undefined;
    const settled = deletions.map(async ({ key, signal, done, failed }) => {
      const refusal = refused?.get(key);
      try {
        // After a pause where it may help, and else for good.
        if (refusal) await this.#calls.failed(refusal, { doing: "delete", key, signal }, 1);
        if (refusal || !refused) await this.#one(key, signal);
        done();
      } catch (error) {
        failed(error);
      }
    });
    await Promise.all(settled);
  }

  /**
   * Deletes several objects with one request; gives those that are not deleted, with the reasons. `undefined` where the service
   * refuses such requests.
   */
  async #atOnce(deletions: readonly Deletion[]): Promise<Map<string, S3Refusal> | undefined> {
    const { prefix } = this.#calls.bucket.place;
    const objects = deletions.map(({ key }) => `<Object><Key>${escaped(prefix + key)}</Key></Object>`);
    const body = new TextEncoder().encode(`<Delete>${objects.join("")}<Quiet>true</Quiet></Delete>`);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
    const headers = {
      "content-type": "application/xml",
      "x-amz-checksum-sha256": btoa(String.fromCharCode(...digest)),
    };
    const call = { doing: "delete", key: deletions[0]?.key ?? "", finish: true } as const;
    try {
      const xml = await this.#calls.run(call, (bucket, signal) =>
        bucket.xml({ method: "POST", query: { delete: "" }, headers, body, signal }, "DeleteResult"),
      );
      const errors = elements(xml, "Error").map((each): [string, S3Refusal] => {
        const status = PASSING.has(textOf(each, "Code") ?? "") ? 503 : 403;
        const key = (textOf(each, "Key") ?? "").slice(prefix.length);
        return [key, new S3Refusal(status, new Headers(), each)];
      });
      return new Map(errors.filter(([, refusal]) => refusal.code !== "NoSuchKey"));
    } catch (error) {
      if (!(error instanceof StoreError) || error.code === "STORE_UNAVAILABLE") throw error;
      // Not every service has it. What else is refused, a request for each object tells.
      this.#isOneByOne = true;
      return undefined;
    }
  }

  #one(key: string, signal: AbortSignal | undefined): Promise<void> {
    return this.#calls.run({ doing: "delete", key, signal }, async (bucket, stop) => {
      try {
        await bucket.done({ method: "DELETE", key, signal: stop });
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }
}

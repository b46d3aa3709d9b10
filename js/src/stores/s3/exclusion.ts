// That no put replaces an object: by the service, where it takes `If-None-Match: *` for a condition, or by claims.
import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { StoreError } from "../../errors/store-error.ts";
import { sleep } from "../../streams/progress.ts";
import { hasCode, isTaken } from "./errors.ts";
import { find, type S3Calls } from "./find.ts";
import { elements, textOf } from "./xml.ts";

/** What a put sends to be refused where the key is taken. */
const CONDITION = { "if-none-match": "*" } as const;
/** No key of a user begins with this. */
const OWN = ".pagemark/";
/** A claim of this age is a dead process's, in milliseconds. */
const LEASE = 120_000;
/** How long a put waits for others of its key, in milliseconds. */
const PATIENCE = 180_000;

type Kind = "put" | "complete";

/** An object to be made. */
interface Making {
  key: string;
  /** The put's id. */
  id: string;
  kind: Kind;
  signal: AbortSignal | undefined;
}

/** Gives the headers of a request that makes an object, as long as it may be made. */
export type Condition = (signal: AbortSignal) => Promise<Record<string, string>>;

export class S3Exclusion {
  readonly #calls: S3Calls;
  readonly #isKnown: boolean | undefined;
  readonly #tried = new Map<Kind, Promise<boolean>>();
  /** Puts of this process, by key: claims are for those of others. */
  readonly #held = new Map<string, Promise<void>>();

  /** @param isKnown whether the service takes the condition; `undefined` where it must be tried out */
  constructor(calls: S3Calls, isKnown: boolean | undefined) {
    this.#calls = calls;
    this.#isKnown = isKnown;
  }

  /** Runs `work`, which makes an object under `key`, while nobody else does. */
  async hold(making: Making, work: (condition: Condition) => Promise<void>): Promise<void> {
    const { key, kind, signal } = making;
    if (await this.#isConditional(kind, signal)) return work(async () => CONDITION);
    const before = this.#held.get(key);
    const ours = (async () => {
      await before?.catch(() => {});
      const claim = new Claim(this.#calls, making);
      try {
        await claim.acquire();
        await work((stop) => claim.renewed(stop));
      } finally {
        await claim.release();
      }
    })();
    this.#held.set(key, ours);
    try {
      await ours;
    } finally {
      if (this.#held.get(key) === ours) this.#held.delete(key);
    }
  }

  #isConditional(kind: Kind, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#isKnown !== undefined) return Promise.resolve(this.#isKnown);
    let tried = this.#tried.get(kind);
    if (tried === undefined) {
      tried = kind === "put" ? this.#tryPut() : this.#tryComplete();
      this.#tried.set(kind, tried);
      tried.catch(() => this.#tried.delete(kind));
    }
    signal?.throwIfAborted();
    return tried;
  }

  /** Whether a second put of a key is refused. The key stays, so that the next process needs one request for this. */
  async #tryPut(): Promise<boolean> {
    const key = `${OWN}conditional-put`;
    const tryOnce = (): Promise<boolean> =>
      this.#calls.run({ doing: "write", key }, (bucket, signal) =>
        isRefused(bucket.done({ method: "PUT", key, headers: CONDITION, body: new Uint8Array(), signal })),
      );
    return (await tryOnce()) || (await tryOnce());
  }

  /** Whether an upload is refused where its key is taken: not every service that refuses a put does. */
  async #tryComplete(): Promise<boolean> {
    if (!(await this.#isConditional("put", undefined))) return false;
    const key = `${OWN}conditional-put`;
    const call = { doing: "write", key } as const;
    return this.#calls.run(call, async (bucket, signal) => {
      const root = "InitiateMultipartUploadResult";
      const begun = await bucket.xml({ method: "POST", key, query: { uploads: "" }, signal }, root);
      const uploadId = textOf(begun, "UploadId") ?? "";
      const part = { method: "PUT", key, query: { partNumber: "1", uploadId }, signal } as const;
      const etag = (await bucket.done({ ...part, body: new Uint8Array(1) })).get("etag");
      const body = new TextEncoder().encode(
        `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`,
      );
      const complete = {
        method: "POST",
        key,
        query: { uploadId },
        headers: CONDITION,
        body,
        signal,
      } as const;
      const refused = await isRefused(bucket.done(complete));
      if (refused) await bucket.done({ method: "DELETE", key, query: { uploadId }, signal }).catch(() => {});
      return refused;
    });
  }
}

async function isRefused(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer;
    return false;
  } catch (error) {
    if (isTaken(error)) return true;
    if (hasCode(error, "NotImplemented", "InvalidArgument", "InvalidRequest")) return false;
    throw error;
  }
}

/**
 * The right to make an object. Who wants it puts an empty object of its own, and has it once a listing shows no other; who
 * sees another withdraws, unless its own comes first by name. So two cannot have it at once: whichever was put second sees the
 * first. A claim of two minutes ago is a dead process's and is removed; nobody makes an object later than a minute after
 * its claim.
 */
class Claim {
  readonly #calls: S3Calls;
  readonly #making: Making;
  #name = "";
  #prefix = "";
  /** When it was put last. */
  #since = 0;

  constructor(calls: S3Calls, making: Making) {
    this.#calls = calls;
    this.#making = making;
  }

  /** @throws ObjectExistsError */
  async acquire(): Promise<void> {
    const { key, signal } = this.#making;
    this.#prefix = `${OWN}claims/${await nameOf(key)}~`;
    const until = Date.now() + PATIENCE;
    for (let round = 0; ; round++) {
      await this.#put(`${this.#prefix}${crypto.randomUUID()}`);
      let others = await this.#others();
      // Who comes first waits until the others have withdrawn or are done.
      while (others.length > 0 && others.every((each) => this.#name < each) && Date.now() < until) {
        await sleep(50 + 100 * Math.random(), signal);
        if (Date.now() - this.#since > LEASE / 4) await this.#put(this.#name);
        others = await this.#others();
      }
      // Only whoever has the claim makes the object: what is there now stays.
      if (others.length === 0) return this.#refuseTaken();
      await this.release();
      await this.#refuseTaken();
      if (Date.now() > until) throw busy(key);
      await sleep(Math.min(50 * 2 ** round, 2000) * (0.5 + Math.random()), signal);
    }
  }

  /** Nothing to send; but a claim that grew old is acquired again. */
  async renewed(signal: AbortSignal): Promise<Record<string, string>> {
    signal.throwIfAborted();
    if (Date.now() - this.#since > LEASE / 2) {
      await this.release();
      await this.acquire();
    }
    return {};
  }

  async release(): Promise<void> {
    if (this.#name !== "") await this.#delete(this.#name).catch(() => {});
    this.#name = "";
  }

  async #put(name: string): Promise<void> {
    this.#name = name;
    this.#since = Date.now();
    const { key, signal } = this.#making;
    await this.#calls.run({ doing: "write", key, signal }, (bucket, stop) =>
      bucket.done({ method: "PUT", key: name, body: new Uint8Array(), signal: stop }),
    );
  }

  /** Names of claims of others that live, in their order. */
  async #others(): Promise<string[]> {
    const { prefix } = this.#calls.bucket.place;
    const query = { "list-type": "2", prefix: prefix + this.#prefix, "max-keys": "1000" };
    const { key, signal } = this.#making;
    const xml = await this.#calls.run({ doing: "list", key, signal }, (bucket, stop) =>
      bucket.xml({ query, signal: stop }, "ListBucketResult"),
    );
    const claims = elements(xml, "Contents").map((each) => ({
      name: (textOf(each, "Key") ?? "").slice(prefix.length),
      time: Date.parse(textOf(each, "LastModified") ?? ""),
    }));
    // By the service's clock alone: its time now is that of this claim and what went by since.
    const own = claims.find(({ name }) => name === this.#name);
    const now = (own?.time ?? Number.NaN) + (Date.now() - this.#since);
    const others: string[] = [];
    for (const { name, time } of claims) {
      if (name === this.#name) continue;
      if (now - time > LEASE) await this.#delete(name);
      else others.push(name);
    }
    // A claim that is not listed protects nothing.
    if (own === undefined) others.push(this.#name);
    return others;
  }

  async #refuseTaken(): Promise<void> {
    const { key, id, signal } = this.#making;
    const found = await this.#calls.run({ doing: "read", key, signal }, (bucket, stop) =>
      find(bucket, key, stop),
    );
    if (found !== undefined && found.put !== id) throw new ObjectExistsError(key);
  }

  async #delete(name: string): Promise<void> {
    const call = { doing: "delete", key: this.#making.key } as const;
    await this.#calls.run(call, (bucket, signal) => bucket.done({ method: "DELETE", key: name, signal }));
  }
}

/** The key as a name that is short enough, whatever it is. */
async function nameOf(key: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function busy(key: string): StoreError {
  const message = `others kept claiming ${JSON.stringify(key)} for ${PATIENCE / 60_000} minutes; try again later`;
  return new StoreError("STORE_UNAVAILABLE", message, { name: key });
}

import { AwsV4Signer } from "aws4fetch";
import { httpFetch } from "../../core/index.ts";
import { BrokenAnswer } from "../object-calls.ts";
import { hasCode, S3Refusal } from "./errors.ts";
import type { S3Credentials, S3Options, S3Place } from "./options.ts";

export interface S3Request {
  method?: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** The object's key, as the store's user knows it; the bucket itself unless given. */
  key?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: Uint8Array;
  signal: AbortSignal;
}

/** Most characters of an answer's XML: a page of 1,000 long names has some 4 million. */
const LONGEST_XML = 16 << 20;
/** Keys are asked for anew this long before they expire, in milliseconds. */
const EARLY = 60_000;
/** As the signature counts them: no bytes. */
const NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Signs and makes single requests to a bucket. What the service tells of its clock and the bucket's region is kept. */
export class S3Bucket {
  readonly place: S3Place;
  readonly #given: S3Options["credentials"];
  readonly #withChecksum: boolean;
  /** Keys of a day, derived from the secret: the library fills it. */
  readonly #cache = new Map<string, ArrayBuffer>();
  #credentials: Promise<S3Credentials> | undefined;
  #region: string;
  #skew = 0;

  constructor(place: S3Place, { credentials, checksum = false }: S3Options) {
    this.place = place;
    this.#given = credentials;
    this.#withChecksum = checksum;
    this.#region = place.region;
  }

  /**
   * The answer, its body not read yet.
   *
   * @throws S3Refusal
   */
  async send(request: S3Request): Promise<Response> {
    try {
      return await this.#sendOnce(request);
    } catch (error) {
      if (!(await this.#hasLearned(error))) throw error;
      return this.#sendOnce(request);
    }
  }

  /** The text of an answer that is `root` in XML. */
  async xml(request: S3Request, root: string): Promise<string> {
    const response = await this.send(request);
    const text = await textOfBody(response);
    if (text.includes(`<${root}`)) return text;
    // Some answers begin before the service knows how they end.
    if (text.includes("<Error")) throw new S3Refusal(500, response.headers, text);
    throw new BrokenAnswer(`the answer is no ${root}`);
  }

  /** Makes a request whose answer has nothing in it. */
  async done(request: S3Request): Promise<Headers> {
    const response = await this.send(request);
    const text = await textOfBody(response);
    if (text.includes("<Error")) throw new S3Refusal(500, response.headers, text);
    return response.headers;
  }

  async #sendOnce({
    method = "GET",
    key,
    query = {},
    headers = {},
    body,
    signal,
  }: S3Request): Promise<Response> {
    const url = new URL(
      this.place.baseOf(this.#region) + pathOf(key === undefined ? "" : this.place.prefix + key),
    );
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#keys();
    const sha256 = body === undefined ? undefined : await digest(body);
    const { headers: signed } = await new AwsV4Signer({
      method,
      url: url.href,
      headers: {
        ...headers,
        "x-amz-content-sha256": sha256 === undefined ? NOTHING : hexOf(sha256),
        ...(sha256 !== undefined &&
          method === "PUT" &&
          this.#withChecksum && { "x-amz-checksum-sha256": base64Of(sha256) }),
      },
      accessKeyId,
      secretAccessKey,
      ...(sessionToken !== undefined && { sessionToken }),
      service: "s3",
      region: this.#region,
      cache: this.#cache,
      datetime: new Date(Date.now() + this.#skew).toISOString().replace(/[:-]|\.\d{3}/g, ""),
    }).sign();
    // Not signed, as some services change it on the way: the length of an answer must be the object's.
    signed.set("accept-encoding", "identity");
    const response = await httpFetch(url, { method, headers: signed, signal, ...(body && { body }) });
    if (response.ok) return response;
    const text = method === "HEAD" ? "" : await textOfBody(response).catch(() => "");
    throw new S3Refusal(response.status, response.headers, text);
  }

  /** Whether an answer tells what was wrong with the request, so that the next one can be right. */
  async #hasLearned(error: unknown): Promise<boolean> {
    if (!(error instanceof S3Refusal)) return false;
    const { region, skew } = error;
    // Answers to HEAD do not say why; a signature of the wrong region or time is refused with 400 or 403.
    const isRefused = [301, 307, 400, 403].includes(error.status);
    if (isRefused && region !== undefined && region !== this.#region && /^[a-z0-9-]{2,40}$/.test(region)) {
      this.#region = region;
      return true;
    }
    if (isRefused && Math.abs(skew - this.#skew) > 60_000) {
      this.#skew = skew;
      return true;
    }
    if (hasCode(error, "ExpiredToken", "InvalidToken") && typeof this.#given === "function") {
      const before = await this.#keys();
      this.#credentials = undefined;
      return (await this.#keys()).sessionToken !== before.sessionToken;
    }
    return false;
  }

  async #keys(): Promise<S3Credentials> {
    this.#credentials ??= (async () => (typeof this.#given === "function" ? this.#given() : this.#given))();
    try {
      const keys = await this.#credentials;
      if (keys.expiration === undefined || keys.expiration.getTime() - EARLY > Date.now()) return keys;
      if (typeof this.#given === "function") this.#credentials = (async (of) => of())(this.#given);
      return await this.#credentials;
    } catch (error) {
      this.#credentials = undefined;
      throw error;
    }
  }
}

function pathOf(key: string): string {
  return `/${key.split("/").map(encodeURIComponent).join("/")}`;
}

async function textOfBody(response: Response): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += value;
    if (text.length <= LONGEST_XML) continue;
    reader.cancel().catch(() => {});
    throw new BrokenAnswer("the answer is too long");
  }
}

async function digest(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function base64Of(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

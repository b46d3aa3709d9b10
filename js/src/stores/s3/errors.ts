import { PagemarkError } from "../../errors/pagemark-error.ts";
import { StoreError } from "../../errors/store-error.ts";
import { BrokenAnswer, type Doing, type Failures } from "../object-calls.ts";
import { textOf } from "./xml.ts";

/** The service answered that it does not do it. */
export class S3Refusal extends Error {
  override readonly name = "S3Refusal" as const;
  readonly status: number;
  /** Such as `SlowDown`; of an answer without a body, what its status means. */
  readonly code: string;
  /** How long to wait, in milliseconds, where the service says so. */
  readonly pause: number | undefined;
  /** Region of the bucket, where the service says so. */
  readonly region: string | undefined;
  /** The service's time less this machine's, in milliseconds. */
  readonly skew: number;

  constructor(status: number, headers: Headers, xml: string) {
    const code = textOf(xml, "Code") ?? CODES[status] ?? `Http${status}`;
    const text = textOf(xml, "Message")?.slice(0, 300) ?? "no message";
    super(`${status} ${code}: ${text}`);
    this.status = status;
    this.code = code;
    this.pause = pauseOf(headers.get("retry-after"));
    this.region = headers.get("x-amz-bucket-region") ?? textOf(xml, "Region");
    const date = Date.parse(headers.get("date") ?? textOf(xml, "ServerTime") ?? "");
    this.skew = Number.isNaN(date) ? 0 : date - Date.now();
  }
}

/** Codes for answers to HEAD, which have no body. */
const CODES: Readonly<Record<number, string>> = {
  301: "PermanentRedirect",
  403: "AccessDenied",
  404: "NoSuchKey",
  409: "ConditionalRequestConflict",
  412: "PreconditionFailed",
  416: "InvalidRange",
  501: "NotImplemented",
  503: "SlowDown",
};

/** `Retry-After`, as seconds or as a date. */
function pauseOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  const ms = /^\d{1,9}$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? ms : undefined;
}

/** What passes by itself, beside answers of 5xx. */
const PASSING = new Set([
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TooManyRequests",
  "RequestTimeout",
  "RequestTimeTooSkewed", // once the clock is set by the answer
  "ConditionalRequestConflict",
  "OperationAborted",
  "BadDigest", // what was sent arrived as something else
  "XAmzContentSHA256Mismatch",
  "IncompleteBody",
]);
const LASTING = new Set(["NotImplemented", "NoSuchUpload"]);

/** Whether trying again may help. An error that is no answer is one of the connection. */
function isTransient(error: unknown): boolean {
  if (error instanceof PagemarkError) return false;
  if (!(error instanceof S3Refusal)) return true;
  if (LASTING.has(error.code)) return false;
  return error.status >= 500 || error.status === 429 || error.status === 408 || PASSING.has(error.code);
}

type Meaning = readonly [code: `STORE_${string}`, meaning: string];

const DENIED: Meaning = [
  "STORE_DENIED",
  "the service does not permit it to these keys; check what their policy and the bucket's allow",
];
/** What policies must allow: before anything is read or written, a store is asked what it has. */
const PERMISSIONS: Readonly<Record<Doing, string>> = {
  list: "s3:ListBucket",
  read: "s3:GetObject and s3:ListBucket",
  write: "s3:PutObject, s3:GetObject and s3:ListBucket",
  delete: "s3:DeleteObject",
};
const KEYS: Meaning = [
  "STORE_DENIED",
  "the service does not accept these keys; check them, and that they are of this service",
];
const FULL: Meaning = [
  "STORE_FULL",
  "the service has no room for it, or takes no object as large; make room, or raise the quota",
];
const ARCHIVED: Meaning = [
  "STORE_ARCHIVED",
  "the object is in an archive; have the service bring it back first, then try again",
];
const ELSEWHERE: Meaning = [
  "STORE_REGION",
  "the bucket is in another region or at another endpoint; give its region or endpoint",
];

const MEANINGS: Readonly<Record<string, Meaning>> = {
  AccessDenied: DENIED,
  AccountProblem: DENIED,
  AllAccessDisabled: DENIED,
  Unauthorized: KEYS,
  InvalidAccessKeyId: KEYS,
  SignatureDoesNotMatch: KEYS,
  ExpiredToken: ["STORE_DENIED", "the keys are temporary and have expired; get new ones"],
  InvalidToken: KEYS,
  RequestTimeTooSkewed: ["STORE_DENIED", "this machine's clock is too far from the service's; set it"],
  NoSuchBucket: ["STORE_NO_BUCKET", "there is no such bucket; check its name, or create it"],
  InvalidBucketName: ["STORE_NO_BUCKET", "no bucket can have that name; check it"],
  PermanentRedirect: ELSEWHERE,
  TemporaryRedirect: ELSEWHERE,
  AuthorizationHeaderMalformed: ELSEWHERE,
  EntityTooLarge: FULL,
  QuotaExceeded: FULL,
  XMinioStorageFull: FULL,
  InsufficientStorage: FULL,
  Http507: FULL,
  InvalidObjectState: ARCHIVED,
  KeyTooLongError: [
    "STORE_NAME_TOO_LONG",
    "the key and the prefix are longer than the service takes; give a shorter prefix",
  ],
  InvalidStorageClass: ["STORE_REFUSED", "the service has no such storage class; check it"],
};

export function s3Failures(description: string): Failures {
  return {
    isTransient,
    pauseOf: (error) => (error instanceof S3Refusal ? error.pause : undefined),
    meaningOf(error, doing, key, attempts) {
      if (error instanceof PagemarkError) return error;
      const [code, meaning] = meaningOf(error, doing, attempts);
      const what = key === "" ? "objects" : JSON.stringify(key);
      const message = `cannot ${doing} ${what} in ${description}: ${meaning}`;
      return new StoreError(code, message, { name: key }, { cause: error });
    },
  };
}

function meaningOf(error: unknown, doing: Doing, attempts: number): Meaning {
  if (!isTransient(error) || (error instanceof S3Refusal && error.code === "RequestTimeTooSkewed")) {
    const refusal = error as S3Refusal;
    const known =
      MEANINGS[refusal.code] ?? (refusal.status === 401 || refusal.status === 403 ? DENIED : undefined);
    const needs = known === DENIED ? `: it needs ${PERMISSIONS[doing]}` : "";
    if (known) return [known[0], `${known[1]}${needs} (${refusal.code})`];
    return ["STORE_REFUSED", `the service answers ${refusal.message}`];
  }
  const full = error instanceof S3Refusal ? MEANINGS[error.code] : undefined;
  if (full) return full;
  return ["STORE_UNAVAILABLE", `it failed in ${attempts} attempts (${reasonOf(error)}); try again later`];
}

/** What went wrong in a connection, without addresses that may hold a secret. */
function reasonOf(error: unknown): string {
  if (error instanceof S3Refusal || error instanceof BrokenAnswer) return error.message;
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const { code } = each as { code?: unknown };
    if (typeof code === "string" && CONNECTION[code]) return CONNECTION[code];
  }
  return "the connection failed";
}

const CONNECTION: Readonly<Record<string, string>> = {
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host's name cannot be looked up",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was reset",
  UND_ERR_SOCKET: "the connection was closed",
  EPIPE: "the connection was closed",
  ETIMEDOUT: "no connection in time",
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is self-signed",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is another host's",
};

/** Whether an answer says that there is no object. A HEAD of a bucket that is missing says no more than this. */
export function isMissing(error: unknown): boolean {
  return (
    error instanceof S3Refusal &&
    error.status === 404 &&
    error.code !== "NoSuchBucket" &&
    error.code !== "NoSuchUpload"
  );
}

/** Whether an answer says that the key is taken. */
export function isTaken(error: unknown): boolean {
  return error instanceof S3Refusal && error.status === 412;
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof S3Refusal && codes.includes(error.code);
}

import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { PagemarkError } from "../../errors/pagemark-error.ts";
import { StoreError } from "../../errors/store-error.ts";
import { uploadGone } from "../checks.ts";
import { BrokenAnswer, type Failures } from "../object-calls.ts";

/** The Worker answered that it does not do it. */
export class HttpRefusal extends Error {
  override readonly name = "HttpRefusal" as const;
  readonly status: number;
  /** The code of Pagemark's error, where the answer is Pagemark's. */
  readonly code: string | undefined;
  readonly pause: number | undefined;

  constructor(status: number, headers: Headers) {
    super(`the answer is ${status}`);
    this.status = status;
    this.code = headers.get("x-pagemark-code") ?? undefined;
    const seconds = Number(headers.get("retry-after") ?? 0);
    this.pause = seconds > 0 ? seconds * 1000 : undefined;
  }
}

function isTransient(error: unknown): boolean {
  if (error instanceof PagemarkError) return false;
  if (!(error instanceof HttpRefusal)) return true;
  const { status } = error;
  return (status >= 500 && status !== 501 && status !== 507) || status === 429 || status === 408;
}

export function httpFailures(description: string): Failures {
  return {
    isTransient,
    pauseOf: (error) => (error instanceof HttpRefusal ? error.pause : undefined),
    meaningOf(error, doing, key, attempts) {
      if (error instanceof PagemarkError) return error;
      const { status = 0, code } = error instanceof HttpRefusal ? error : {};
      if (code === "OBJECT_EXISTS") return new ObjectExistsError(key);
      if (code === "STORE_UPLOAD") return uploadGone(key, { cause: error });
      if (code === "STORE_KEY") {
        const message = `${JSON.stringify(key)} is too long for the Worker's bucket; give the database a shorter name`;
        return new StoreError("STORE_NAME_TOO_LONG", message, { name: key }, { cause: error });
      }
      const [own, meaning] = meaningOf(error, status, attempts);
      const what = key === "" ? "objects" : JSON.stringify(key);
      const message = `cannot ${doing} ${what} in ${description}: ${meaning}`;
      return new StoreError(own, message, { name: key }, { cause: error });
    },
  };
}

function meaningOf(
  error: unknown,
  status: number,
  attempts: number,
): [code: `STORE_${string}`, meaning: string] {
  if (status === 401 || status === 403)
    return ["STORE_DENIED", "the Worker does not accept this token for it; check it, and that it may write"];
  if (status === 507 || status === 413)
    return ["STORE_FULL", "the object is larger than the Worker's bucket takes"];
  if (isTransient(error)) {
    const why =
      error instanceof HttpRefusal || error instanceof BrokenAnswer ? error.message : "the connection failed";
    return ["STORE_UNAVAILABLE", `it failed in ${attempts} attempts (${why}); try again later`];
  }
  if (status === 404)
    return [
      "STORE_MISSING",
      "there is no store; the URL is that of a Pagemark Worker and /store/ and a name",
    ];
  return [
    "STORE_REFUSED",
    `the answer is ${status}; check that the URL is a Pagemark Worker's, and its version`,
  ];
}

export function isStatus(error: unknown, ...statuses: readonly number[]): boolean {
  return error instanceof HttpRefusal && statuses.includes(error.status);
}

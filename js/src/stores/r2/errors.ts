import { PagemarkError } from "../../errors/pagemark-error.ts";
import { StoreError } from "../../errors/store-error.ts";
import { Calls, type Doing, type Patience } from "../object-calls.ts";
import type { R2Binding } from "./bucket.ts";

/** Calls to an R2 bucket. */
export type R2Calls = Calls<R2Binding>;

export function r2Calls(bucket: R2Binding, patience: Patience): R2Calls {
  return new Calls(bucket, patience, { isTransient, meaningOf });
}

// https://developers.cloudflare.com/r2/api/error-codes/
export const NO_SUCH_UPLOAD = 10024;
/** What was sent does not have the MD5 that was announced. */
export const BAD_DIGEST = 10037;

/** Internal error, unavailable, connection lost, too many requests (429). */
const TRANSIENT = new Set([10001, 10043, 10054, 10058]);

const DENIED = [
  "STORE_DENIED",
  "R2 does not permit it; check the binding, its permissions, and that the account has R2",
] as const;
const NO_BUCKET = ["STORE_NO_BUCKET", "there is no such bucket; check the binding's bucket_name"] as const;

const MEANINGS: Readonly<Record<number, readonly [code: `STORE_${string}`, meaning: string]>> = {
  10002: DENIED,
  10003: DENIED,
  10018: DENIED,
  10035: DENIED,
  10042: DENIED,
  10005: NO_BUCKET,
  10006: NO_BUCKET,
  100100: ["STORE_FULL", "the object is larger than R2 takes; back up a smaller database"],
};

/** Whether trying again may help. An error without a code of R2 is one of the connection. */
export function isTransient(error: unknown): boolean {
  if (error instanceof PagemarkError) return false;
  const code = r2Code(error);
  return code === undefined || TRANSIENT.has(code);
}

/** The error that the user of a store gets for `error`, after so many `attempts`. */
function meaningOf(error: unknown, doing: Doing, key: string, attempts: number): Error {
  if (error instanceof PagemarkError) return error;
  const [code, meaning] = isTransient(error)
    ? ([
        "STORE_UNAVAILABLE",
        `R2 failed in ${attempts} attempts; try again later, and see the cause`,
      ] as const)
    : (MEANINGS[r2Code(error) ?? 0] ??
      (["STORE_IO", `R2 reports its error ${r2Code(error)}; see the cause`] as const));
  return new StoreError(
    code,
    `cannot ${doing} ${JSON.stringify(key)} in the bucket: ${meaning}`,
    { name: key },
    { cause: error },
  );
}

/** The number of an error of R2. As documented, a binding gives it only at the end of the message. */
export function r2Code(error: unknown): number | undefined {
  const [, digits] = (error instanceof Error && /\((\d{5,6})\)$/.exec(error.message)) || [];
  return digits === undefined ? undefined : Number(digits);
}

import type { Context, MiddlewareHandler } from "hono";
import type { Env } from "../env.ts";
import { ApiError } from "./envelope.ts";

/** What a token allows. */
export type Scope = "read" | "admin";

/** What routes find in their context. */
export interface ApiContext {
  Bindings: Env;
  Variables: { scope: Scope };
}

/** Lets in who has a token, by `Authorization: Bearer` or by `X-Auth-Email` with `X-Auth-Key`; nobody when none is set. */
export const authenticate: MiddlewareHandler<ApiContext> = async (c, next) => {
  const given = credential(c);
  if (given === undefined) throw new ApiError(401, 10000, "Authentication error: no token was sent");
  const { PAGEMARK_TOKEN, PAGEMARK_READ_TOKEN } = c.env;
  // Both are compared, always, so that time tells nothing.
  const [isAdmin, isReader] = await Promise.all([
    equal(given, PAGEMARK_TOKEN),
    equal(given, PAGEMARK_READ_TOKEN),
  ]);
  if (!isAdmin && !isReader) throw new ApiError(403, 10000, "Authentication error: that token is not known");
  c.set("scope", isAdmin ? "admin" : "read");
  await next();
};

/** Refuses other accounts than the one that is set. */
export const ownAccount: MiddlewareHandler<ApiContext> = async (c, next) => {
  const { PAGEMARK_ACCOUNT_ID } = c.env;
  if (PAGEMARK_ACCOUNT_ID && c.req.param("account_id") !== PAGEMARK_ACCOUNT_ID)
    throw new ApiError(403, 10000, "Authentication error: that account is not this Worker's");
  await next();
};

/** Refuses a token that may only read. */
export const adminOnly: MiddlewareHandler<ApiContext> = async (c, next) => {
  if (c.get("scope") !== "admin")
    throw new ApiError(403, 10000, "Authentication error: that token may only read");
  await next();
};

function credential(c: Context<ApiContext>): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (bearer !== undefined) return bearer;
  const [email, key] = [c.req.header("x-auth-email"), c.req.header("x-auth-key")];
  const { PAGEMARK_EMAIL } = c.env;
  // An address is no secret.
  return email && key && (!PAGEMARK_EMAIL || email === PAGEMARK_EMAIL) ? key : undefined;
}

/** Whether two texts are equal, in a time that depends on neither; an empty token is none. */
async function equal(given: string, token: string | undefined): Promise<boolean> {
  const digest = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const [a, b] = await Promise.all([digest(given), digest(token ?? "")]);
  const { timingSafeEqual } = crypto.subtle as unknown as WorkersSubtle;
  return timingSafeEqual.call(crypto.subtle, a, b) && !!token;
}

/** What workerd has beyond the web's interface. */
interface WorkersSubtle {
  timingSafeEqual(a: ArrayBuffer, b: ArrayBuffer): boolean;
}

// Who asks, what that allows, and which database is meant.
import type { Context, MiddlewareHandler } from "hono";
import type { Env } from "../databases.ts";
import { type Deleted, type Registered, registry } from "../registry.ts";
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
  const bytes = new TextEncoder().encode(given);
  // Both are compared, always, so that time tells nothing.
  const [isAdmin, isReader] = [isToken(bytes, PAGEMARK_TOKEN), isToken(bytes, PAGEMARK_READ_TOKEN)];
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

/** The database that an id or a name in a path means. */
export async function found(env: Env, idOrName: string): Promise<Registered> {
  const database = await registry(env).find(idOrName);
  if (database) return database;
  throw notFound(idOrName);
}

/** The database that an id in a path means, whose backups there may be; also one that was deleted. */
export async function foundBackedUp(env: Env, id: string): Promise<Registered | Deleted> {
  const database = await registry(env).findBackedUp(id);
  if (database) return database;
  throw notFound(id);
}

function notFound(idOrName: string): ApiError {
  return new ApiError(404, 7404, `The database ${idOrName.slice(0, 100)} could not be found`);
}

function credential(c: Context<ApiContext>): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (bearer !== undefined) return bearer;
  const [email, key] = [c.req.header("x-auth-email"), c.req.header("x-auth-key")];
  const { PAGEMARK_EMAIL } = c.env;
  // An address is no secret.
  return email && key && (!PAGEMARK_EMAIL || email === PAGEMARK_EMAIL) ? key : undefined;
}

/** Whether that is a token, in a time that tells no more of it than its length; an empty token is none. */
function isToken(given: Uint8Array, token = ""): boolean {
  const wanted = new TextEncoder().encode(token);
  const { timingSafeEqual } = crypto.subtle as unknown as WorkersSubtle;
  const isSame = given.length === wanted.length;
  return timingSafeEqual.call(crypto.subtle, given, isSame ? wanted : given) && isSame && token !== "";
}

/** What workerd has beyond the web's interface. */
interface WorkersSubtle {
  timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean;
}

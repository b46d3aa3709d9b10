// Who asks, what that allows, and which database is meant.
import type { Context, MiddlewareHandler } from "hono";
import type { Deleted, Registered, Service } from "../service/service.ts";
import { ApiError } from "./envelope.ts";

/** What a token allows. */
export type Scope = "read" | "admin";

/** What routes find in their context. */
export interface ApiContext {
  Bindings: Service;
  Variables: { scope: Scope };
}

/** Lets in who has a token, by `Authorization: Bearer` or by `X-Auth-Email` with `X-Auth-Key`; nobody when none is set. */
export const authenticate: MiddlewareHandler<ApiContext> = async (c, next) => {
  const given = credential(c);
  if (given === undefined) throw new ApiError(401, 10000, "Authentication error: no token was sent");
  const { token, readToken } = c.env.access;
  // Both are compared, always, so that time tells nothing.
  const [isAdmin, isReader] = [isToken(given, token), isToken(given, readToken)];
  if (!isAdmin && !isReader) throw new ApiError(403, 10000, "Authentication error: that token is not known");
  c.set("scope", isAdmin ? "admin" : "read");
  await next();
};

/** Refuses other accounts than the one that is set. */
export const ownAccount: MiddlewareHandler<ApiContext> = async (c, next) => {
  const { accountId } = c.env.access;
  if (accountId && c.req.param("account_id") !== accountId)
    throw new ApiError(403, 10000, "Authentication error: that account is not served here");
  await next();
};

/** Refuses a token that may only read. */
export const adminOnly: MiddlewareHandler<ApiContext> = async (c, next) => {
  if (c.get("scope") !== "admin")
    throw new ApiError(403, 10000, "Authentication error: that token may only read");
  await next();
};

/** The database that an id or a name in a path means. */
export async function found({ databases }: Service, idOrName: string): Promise<Registered> {
  const database = await databases.find(idOrName);
  if (database) return database;
  throw notFound(idOrName);
}

/** The database that an id in a path means, whose backups there may be; also one that was deleted. */
export async function foundBackedUp({ databases }: Service, id: string): Promise<Registered | Deleted> {
  const database = await databases.findBackedUp(id);
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
  const wanted = c.env.access.email;
  // An address is no secret.
  return email && key && (!wanted || email === wanted) ? key : undefined;
}

const encoder = new TextEncoder();

/** Whether that is a token; an empty one is none. All that was given is compared, so time tells nothing of a token. */
function isToken(given: string, token = ""): boolean {
  const [one, other] = [encoder.encode(given), encoder.encode(token)];
  let difference = one.length ^ other.length;
  for (const [at, byte] of one.entries()) difference |= byte ^ (other[at % other.length] ?? 0);
  return difference === 0 && token !== "";
}

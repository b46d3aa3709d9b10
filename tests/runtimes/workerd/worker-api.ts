import { SELF } from "cloudflare:test";

export const DATABASES = "https://pagemark/client/v4/accounts/acct/d1/database";

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what the API answers is what is tested
  body: any;
}

/** Calls the D1 API below the list of databases; with a body it is a POST. */
export async function call(
  path: string,
  body?: unknown,
  { token = "all", ...init }: RequestInit & { token?: string } = {},
): Promise<Answer> {
  const answer = await SELF.fetch(`${DATABASES}${path}`, {
    ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...init,
  });
  return { status: answer.status, body: await answer.json() };
}

const HOUR_MS = 3_600_000;

/** 20 minutes past the hour after this one: behind the quarter over which automatic backups are spread. */
export function nextHour(): number {
  return (Math.floor(Date.now() / HOUR_MS) + 1) * HOUR_MS + HOUR_MS / 3;
}

/** As wrangler does: a POST without a body. */
export function post(path: string): Promise<Answer> {
  return call(path, undefined, { method: "POST" });
}

/** Makes a database; gives its UUID. */
export async function create(name: string): Promise<string> {
  return (await call("", { name })).body.result.uuid;
}

/** The rows of the last statement. */
export async function rows(uuid: string, sql: string): Promise<Record<string, unknown>[]> {
  const { body } = await call(`/${uuid}/query`, { sql });
  if (!body.success) throw new Error(body.errors[0].message);
  return body.result.at(-1).results;
}

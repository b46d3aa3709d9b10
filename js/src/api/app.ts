import { OpenAPIHono } from "@hono/zod-openapi";
import { Hono } from "hono";
import { getPath } from "hono/utils/url";
import { type ApiContext, authenticate, ownAccount } from "./access.ts";
import { backups } from "./backups.ts";
import { dashboard } from "./dashboard/routes.ts";
import { databases } from "./databases.ts";
import { ApiError, failure, refusal, success } from "./envelope.ts";
import { exec } from "./exec.ts";
import { jobs } from "./jobs.ts";
import { serveOpenApi } from "./openapi.ts";
import { orphans } from "./orphans.ts";
import { polled } from "./polled.ts";
import { preview } from "./preview.ts";
import { queries } from "./queries.ts";
import { exactJson, invalid, lenientPath, limitBody } from "./requests.ts";
import { signedFiles } from "./signed-files.ts";
import { stores } from "./stores.ts";
import { timeTravel } from "./time-travel.ts";

/** Where clients expect the API. */
export const BASE = "/client/v4";

/** What clients ask before they know their account. */
const accounts = new Hono<ApiContext>();

const account = (id: string | undefined) => ({ id: id ?? "pagemark", name: "Pagemark" });

accounts.get("/accounts", (c) => success(c, [account(c.env.access.accountId)]));
accounts.get("/memberships", (c) =>
  success(c, [{ id: "pagemark", status: "accepted", account: account(c.env.access.accountId) }]),
);
accounts.get("/user", (c) =>
  success(c, { id: "pagemark", email: c.env.access.email ?? "pagemark@localhost" }),
);
/** With what the token allows, which is ours. */
accounts.get("/user/tokens/verify", (c) =>
  success(c, { id: "pagemark", status: "active", scope: c.get("scope") }),
);

/** Answers `wrangler d1 info`: no queries are counted here. */
accounts.post("/graphql", (c) =>
  c.json({ data: { viewer: { accounts: [{ d1AnalyticsAdaptiveGroups: [] }] } }, errors: null }),
);

/** The HTTP interface; what it needs is in its `env`. */
export const app = new OpenAPIHono<ApiContext>({
  getPath: (request) => lenientPath(getPath(request)),
  defaultHook: (result) => {
    if (!result.success) throw invalid(result.error, "data" in result ? result.data : undefined);
  },
});

app.route("/", dashboard);
app.get("/healthz", (c) => c.json({ ok: true }));
/** Names of databases are nobody's business: it takes a token. */
app.get("/metrics", authenticate, async (c) => {
  const text = await c.env.metrics?.();
  if (text === undefined) throw new ApiError(404, 7003, "nothing is counted here");
  return c.body(text, 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
});
app.route("/", exec);
app.route("/", signedFiles);
app.route("/", stores);
app.use(`${BASE}/*`, authenticate, limitBody, exactJson);
app.use(`${BASE}/accounts/:account_id/*`, ownAccount);
for (const part of [accounts, databases, queries, polled, backups, preview, orphans, timeTravel, jobs])
  app.route(BASE, part);
serveOpenApi(app, BASE);
app.notFound((c) =>
  failure(c, 404, [{ code: 7003, message: `Could not route to ${c.req.path.slice(0, 200)}` }]),
);
app.onError(refusal);

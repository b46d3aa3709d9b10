import { OpenAPIHono } from "@hono/zod-openapi";
import { getPath } from "hono/utils/url";
import { dashboard } from "../dashboard/routes.ts";
import { accounts } from "./accounts.ts";
import { type ApiContext, authenticate, ownAccount } from "./auth.ts";
import { backups } from "./backups.ts";
import { databases } from "./databases.ts";
import { failure, refusal } from "./envelope.ts";
import { exec } from "./exec.ts";
import { invalid } from "./invalid.ts";
import { jobList } from "./job-list.ts";
import { jobs } from "./jobs.ts";
import { exactJson, lenientPath, limitBody } from "./limits.ts";
import { serveOpenApi } from "./openapi.ts";
import { orphans } from "./orphans.ts";
import { preview } from "./preview.ts";
import { queries } from "./queries.ts";
import { signedFiles } from "./signed-files.ts";
import { timeTravel } from "./time-travel.ts";

/** Where clients expect the API. */
export const BASE = "/client/v4";

/** The Worker's HTTP interface. */
export const app = new OpenAPIHono<ApiContext>({
  getPath: (request) => lenientPath(getPath(request)),
  defaultHook: (result) => {
    if (!result.success) throw invalid(result.error);
  },
});

app.route("/", dashboard);
app.get("/healthz", (c) => c.json({ ok: true }));
app.route("/", exec);
app.route("/", signedFiles);
app.use(`${BASE}/*`, authenticate, limitBody, exactJson);
app.use(`${BASE}/accounts/:account_id/*`, ownAccount);
for (const part of [accounts, databases, queries, jobs, backups, preview, orphans, timeTravel, jobList])
  app.route(BASE, part);
serveOpenApi(app, BASE);
app.notFound((c) =>
  failure(c, 404, [{ code: 7003, message: `Could not route to ${c.req.path.slice(0, 200)}` }]),
);
app.onError(refusal);

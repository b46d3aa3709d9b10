import { OpenAPIHono, type z } from "@hono/zod-openapi";
import { dashboard } from "../dashboard/routes.ts";
import { accounts } from "./accounts.ts";
import { type ApiContext, authenticate, ownAccount } from "./auth.ts";
import { backups } from "./backups.ts";
import { databases } from "./databases.ts";
import { ApiError, failure, refusal } from "./envelope.ts";
import { exec } from "./exec.ts";
import { jobList } from "./job-list.ts";
import { jobs } from "./jobs.ts";
import { serveOpenApi } from "./openapi.ts";
import { preview } from "./preview.ts";
import { queries } from "./queries.ts";
import { signedFiles } from "./signed-files.ts";
import { timeTravel } from "./time-travel.ts";

/** Where clients expect the API. */
export const BASE = "/client/v4";

/** The Worker's HTTP interface. */
export const app = new OpenAPIHono<ApiContext>({
  defaultHook: (result) => {
    if (!result.success) throw invalid(result.error);
  },
});

app.route("/", dashboard);
app.get("/healthz", (c) => c.json({ ok: true }));
app.route("/", exec);
app.route("/", signedFiles);
app.use(`${BASE}/*`, authenticate);
app.use(`${BASE}/accounts/:account_id/*`, ownAccount);
for (const part of [accounts, databases, queries, jobs, backups, preview, timeTravel, jobList])
  app.route(BASE, part);
serveOpenApi(app, BASE);
app.notFound((c) => failure(c, 404, [{ code: 7003, message: `Could not route to ${c.req.path}` }]));
app.onError(refusal);

function invalid({ issues }: z.ZodError): ApiError {
  const [issue] = issues;
  const at = issue && issue.path.length > 0 ? ` (${issue.path.join(".")})` : "";
  return new ApiError(
    400,
    7400,
    `Invalid request: ${issue?.message ?? "it does not have the right form"}${at}`,
  );
}

import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { type ApiContext, adminOnly, found } from "./access.ts";
import { success } from "./envelope.ts";
import { answers, DatabasePath, JobPath } from "./schemas.ts";

/** What is under way. */
export const jobs = new OpenAPIHono<ApiContext>();

const JobInfo = z
  .object({
    id: z.string(),
    kind: z.enum(["backup", "restore", "export", "import"]),
    state: z.enum(["pending", "running", "canceling", "done", "failed", "canceled"]),
    phase: z.string().openapi({
      description: "`pages`: done and total count pages; others count bytes, and a total of 0 is not known",
    }),
    done: z.number().int(),
    total: z.number().int(),
    started_at: z.string(),
    updated_at: z.string(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
    warnings: z
      .array(z.string())
      .optional()
      .openapi({ description: "tables of a restored backup that have a damaged page" }),
  })
  .openapi("Job");

const PATH = "/accounts/{account_id}/d1/database/{database_id}/jobs";

jobs.openapi(
  createRoute({
    method: "delete",
    path: `${PATH}/{job_id}`,
    summary: "Cancels a job that is under way: nothing half-done is left",
    middleware: [adminOnly] as const,
    request: { params: JobPath },
    responses: answers(z.null(), "It ends soon, or has ended"),
  }),
  async (c) => {
    const { database_id, job_id } = c.req.valid("param");
    const { uuid } = await found(c.env, database_id);
    await c.env.databases.open(uuid).cancelJob(job_id);
    return success(c, null);
  },
);

jobs.openapi(
  createRoute({
    method: "get",
    path: PATH,
    summary:
      "Jobs under way, and those that ended: backups and restores of the last day, exports and imports of the last hour; newest first",
    request: { params: DatabasePath },
    responses: answers(z.array(JobInfo), "The jobs"),
  }),
  async (c) => {
    const { uuid } = await found(c.env, c.req.valid("param").database_id);
    const list = await c.env.databases.open(uuid).jobs();
    const shown = list.map(({ startedAt, updatedAt, ...job }) => {
      return { ...job, started_at: startedAt, updated_at: updatedAt };
    });
    return success(c, shown);
  },
);

import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { databaseObject } from "../env.ts";
import { type ApiContext, adminOnly } from "./auth.ts";
import { success } from "./envelope.ts";
import { found } from "./found.ts";
import { answers, DatabasePath, JobPath } from "./schemas.ts";

/** Backups and restores under way. */
export const jobList = new OpenAPIHono<ApiContext>();

const JobInfo = z
  .object({
    id: z.string(),
    kind: z.enum(["backup", "restore"]),
    state: z.enum(["pending", "running", "canceling", "done", "failed", "canceled"]),
    phase: z.string().openapi({ description: "`pages`: done and total count pages; others count bytes" }),
    done: z.number().int(),
    total: z.number().int(),
    started_at: z.string(),
    updated_at: z.string(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
  })
  .openapi("Job");

const PATH = "/accounts/{account_id}/d1/database/{database_id}/jobs";

jobList.openapi(
  createRoute({
    method: "delete",
    path: `${PATH}/{job_id}`,
    summary: "Cancels a backup or a restore that is under way: nothing half-done is left",
    middleware: [adminOnly] as const,
    request: { params: JobPath },
    responses: answers(z.null(), "It ends soon, or has ended"),
  }),
  async (c) => {
    const { database_id, job_id } = c.req.valid("param");
    const { uuid } = await found(c.env, database_id);
    await databaseObject(c.env, uuid).cancelJob(job_id);
    return success(c, null) as never;
  },
);

jobList.openapi(
  createRoute({
    method: "get",
    path: PATH,
    summary: "Backups and restores: those under way, and those that ended during the last day; newest first",
    request: { params: DatabasePath },
    responses: answers(z.array(JobInfo), "The jobs"),
  }),
  async (c) => {
    const { uuid } = await found(c.env, c.req.valid("param").database_id);
    const jobs = await databaseObject(c.env, uuid).jobs();
    const shown = jobs.map(({ startedAt, updatedAt, ...job }) => {
      return { ...job, started_at: startedAt, updated_at: updatedAt };
    });
    return success(c, shown) as never;
  },
);

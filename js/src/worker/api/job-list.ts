import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { databaseObject } from "../env.ts";
import type { ApiContext } from "./auth.ts";
import { success } from "./envelope.ts";
import { found } from "./found.ts";
import { answers, DatabasePath } from "./schemas.ts";

/** Backups and restores under way. */
export const jobList = new OpenAPIHono<ApiContext>();

const JobInfo = z
  .object({
    id: z.string(),
    kind: z.enum(["backup", "restore"]),
    state: z.enum(["pending", "running", "done", "failed", "canceled"]),
    phase: z.string().openapi({ description: "`pages`: done and total count pages; others count bytes" }),
    done: z.number().int(),
    total: z.number().int(),
    started_at: z.string(),
    updated_at: z.string(),
    error: z.object({ code: z.string(), message: z.string() }).optional(),
  })
  .openapi("Job");

jobList.openapi(
  createRoute({
    method: "get",
    path: "/accounts/{account_id}/d1/database/{database_id}/jobs",
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

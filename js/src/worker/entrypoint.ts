import { WorkerEntrypoint } from "cloudflare:workers";
import { app } from "./api/app.ts";
import type { Env } from "./env.ts";

/** What other Workers bind, and what HTTP reaches. */
export class Entrypoint extends WorkerEntrypoint<Env> {
  override fetch(request: Request): Response | Promise<Response> {
    return app.fetch(request, this.env, this.ctx);
  }
}

// A Worker of an application with an ORM, bound to real D1 and to Pagemark.
import type { D1Database } from "@cloudflare/workers-types";
import { d1Database, type PagemarkBinding } from "pagemark/client";
import { flow } from "./orms.mjs";

interface Env {
  REAL: D1Database;
  OURS: PagemarkBinding;
}

export default {
  /** `/real/<orm>` and `/ours/<orm>` run its flow. */
  async fetch(request: Request, env: Env): Promise<Response> {
    const [, which = "", orm = ""] = new URL(request.url).pathname.split("/");
    try {
      const gave = await flow(orm, which === "real" ? env.REAL : d1Database(env.OURS));
      const text = JSON.stringify(gave, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
      return new Response(text);
    } catch (error) {
      return new Response(`${(error as Error).stack}\n${(error as Error).cause}`, { status: 500 });
    }
  },
};

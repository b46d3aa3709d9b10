import { type OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { ApiContext } from "./access.ts";
import { answers } from "./schemas.ts";

/** What the document says besides the routes. */
const ABOUT = {
  openapi: "3.1.0",
  info: {
    title: "Pagemark",
    version: "1",
    description:
      "Databases, their backups, and time travel. What D1's API has is here as it is there, so that its clients work.",
  },
  servers: [{ url: "/", description: "This Worker" }],
  security: [{ token: [] }, { email: [], key: [] }],
};

/** Serves the API's description at `/openapi.json`, to anyone. `base` is where clients expect the D1 API. */
export function serveOpenApi(app: OpenAPIHono<ApiContext>, base: string): void {
  const { openAPIRegistry: registry } = app;
  registry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  registry.registerComponent("securitySchemes", "email", apiKey("X-Auth-Email"));
  registry.registerComponent("securitySchemes", "key", apiKey("X-Auth-Key"));
  for (const route of plainRoutes(base)) registry.registerPath(route);
  let document: object | undefined;
  app.get("/openapi.json", (c) => {
    document ??= app.getOpenAPI31Document(ABOUT);
    return c.json(document, 200, { "x-content-type-options": "nosniff" });
  });
}

function apiKey(name: string) {
  return { type: "apiKey", in: "header", name } as const;
}

/** The routes that say nothing of themselves where they are. */
function plainRoutes(base: string): RouteConfig[] {
  const unknown = z.looseObject({});
  const asked = (path: string, summary: string): RouteConfig => {
    return {
      method: "get",
      path: base + path,
      summary,
      responses: answers(z.unknown(), "What was asked for"),
    };
  };
  /** For who has no token. */
  const open = (path: string, summary: string, type: string, schema: z.ZodType): RouteConfig => {
    return { method: "get", path, summary, security: [], responses: content(summary, type, schema) };
  };
  const asset = { version: z.string(), name: z.string() };
  const file = {
    params: z.object({ name: z.string() }),
    query: z.object({ expires: z.string(), signature: z.string() }),
  };
  return [
    open("/", "The dashboard", "text/html", z.string()),
    {
      ...open("/dashboard/{version}/{name}", "What the dashboard loads", "*/*", z.string()),
      request: { params: z.object(asset) },
    },
    open("/healthz", "Whether the Worker runs", "application/json", z.object({ ok: z.boolean() })),
    {
      ...{ method: "get", path: "/metrics", summary: "Numbers for Prometheus; 404 where nothing is counted" },
      responses: content("The numbers", "text/plain", z.string()),
    },
    open("/openapi.json", "This document", "application/json", unknown),
    {
      ...open("/files/exports/{name}", "The SQL of an export, for an hour", "application/sql", z.string()),
      request: file,
    },
    {
      method: "put",
      path: "/files/imports/{name}",
      summary: "Takes the SQL of an import, for an hour",
      security: [],
      request: { ...file, body: { content: { "application/sql": { schema: z.string() } } } },
      responses: { 200: { description: "It is stored; the ETag is its MD5" } },
    },
    asked("/accounts", "The account"),
    asked("/memberships", "The account, as a membership"),
    asked("/user", "Who the token is for"),
    asked("/user/tokens/verify", "Whether the token is known, and what it allows: `scope` is admin or read"),
    ...storeRoutes(),
    {
      method: "post",
      path: `${base}/graphql`,
      summary: "Answers what wrangler asks for statistics: there are none",
      responses: content("No statistics", "application/json", unknown),
    },
  ];
}

/** A store in the bucket, for programs elsewhere. */
function storeRoutes(): RouteConfig[] {
  const [path, object] = ["/store/{name}", "/store/{name}/{key}"];
  const name = z.object({ name: z.string() });
  const key = z.object({ name: z.string(), key: z.string() });
  const page = z.object({ prefix: z.string(), cursor: z.string(), limit: z.string() }).partial();
  const stored = z.object({ key: z.string(), size: z.number(), modified: z.number() });
  const listed = z.object({ objects: z.array(stored), cursor: z.string().optional() });
  const step = z.object({
    step: z.enum(["start", "append", "finish", "abort"]),
    modified: z.string().optional(),
  });
  const bytes = "application/octet-stream";
  return [
    {
      ...{ method: "get", path, summary: "Lists the objects of a store" },
      request: { params: name, query: page },
      responses: content("A page of them", "application/json", listed),
    },
    {
      ...{ method: "get", path: object, summary: "An object of a store, or a range of it" },
      request: { params: key },
      responses: content("Its bytes", bytes, z.string()),
    },
    {
      ...{ method: "delete", path: object, summary: "Removes an object of a store" },
      request: { params: key },
      responses: { 204: { description: "It is not there" } },
    },
    {
      ...{ method: "post", path: object, summary: "A step of an upload" },
      request: { params: key, query: step, body: { content: { [bytes]: { schema: z.string() } } } },
      responses: content("Where the upload stands; 204 at its end", "application/json", z.looseObject({})),
    },
  ];
}

function content(description: string, type: string, schema: z.ZodType): RouteConfig["responses"] {
  return { 200: { description, content: { [type]: { schema } } } };
}

// The types of orms.mjs.
declare module "*/orms.mjs" {
  export function flow(name: string, d1: import("@cloudflare/workers-types").D1Database): Promise<unknown>;
}

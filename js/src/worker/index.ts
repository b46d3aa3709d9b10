export { Database } from "./database/object.ts";
export { Entrypoint, Entrypoint as default } from "./entrypoint.ts";
export type { Env } from "./env.ts";
export { Registry } from "./registry.ts";

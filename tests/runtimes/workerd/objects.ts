// The Durable Objects of these tests, which run their code inside of them with `runInDurableObject`.
import { DurableObject } from "cloudflare:workers";
import type { Env as PagemarkEnv } from "pagemark/worker";

/** An object with SQLite storage, and nothing of its own. */
export class EmptyObject extends DurableObject {}

// The Worker itself, which `SELF` reaches.
export { Database, default, Registry } from "pagemark/worker";

declare global {
  namespace Cloudflare {
    interface Env extends PagemarkEnv {
      OBJECT: DurableObjectNamespace<EmptyObject>;
    }
  }
}

// The Durable Objects of these tests, which run their code inside of them with `runInDurableObject`.
import { DurableObject } from "cloudflare:workers";

/** An object with SQLite storage, and nothing of its own. */
export class EmptyObject extends DurableObject {}

export default {
  fetch: () => new Response("there is nothing to fetch", { status: 404 }),
};

declare global {
  namespace Cloudflare {
    interface Env {
      OBJECT: DurableObjectNamespace<EmptyObject>;
    }
  }
}

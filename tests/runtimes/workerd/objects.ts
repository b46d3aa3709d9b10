// The Durable Objects of these tests, which run their code inside of them with `runInDurableObject`.
import { DurableObject } from "cloudflare:workers";
import type { R2Binding } from "pagemark";
import { Database as Pagemark, type Env as PagemarkEnv } from "pagemark/worker";
import { faulty } from "../../stores/r2-faults.ts";
import { injected, isInjecting, released } from "./worker-injection.ts";

/** An object with SQLite storage, and nothing of its own. */
export class EmptyObject extends DurableObject {}

/** A database whose bucket fails, or takes the object with it, when a test says so. */
export class Database extends Pagemark {
  constructor(ctx: DurableObjectState, env: PagemarkEnv) {
    const { bucket } = faulty(env.BACKUPS as unknown as R2Binding, (call) => injected(call, ctx));
    const { get } = bucket;
    bucket.get = async (...wanted) => {
      await released(ctx);
      return get(...wanted);
    };
    // Without a fault it is the bucket itself, which can do more than the faulty one.
    const either = new Proxy(env.BACKUPS, {
      get(real, name) {
        const target: object = isInjecting() && name in bucket ? bucket : real;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    super(ctx, Object.create(env, { BACKUPS: { value: either } }));
  }
}

// The Worker itself, which `SELF` reaches.
export { default, Registry } from "pagemark/worker";

declare global {
  namespace Cloudflare {
    interface Env extends PagemarkEnv {
      OBJECT: DurableObjectNamespace<EmptyObject>;
      D1: D1Database;
      /** Steps of what a hostile client sends, of the environment; see worker-read-token.test.ts. */
      HOSTILE_STEPS: string;
    }
  }
}

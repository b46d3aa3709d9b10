// The Worker, which says how long each of its alarms takes: no alarm's processor time can be more.
import { Database as Pagemark } from "../../js/dist/worker/index.js";

export { default, Registry } from "../../js/dist/worker/index.js";

export class Database extends Pagemark {
  async alarm() {
    const start = await now();
    await super.alarm();
    console.info(`alarm took ${(await now()) - start} ms`);
  }
}

/** The clock of a Worker stands still while it computes. */
async function now() {
  await scheduler.wait(1);
  return Date.now();
}

import { d1, pagemark, r2 } from "pagemark";

interface Env {
  DB: D1Database;
  BACKUPS: R2Bucket;
}

export default {
  async scheduled(_, env) {
    const backup = await pagemark(d1(env.DB), { name: "shop", store: r2(env.BACKUPS) }).backup();
    console.log(`${backup.kind} backup ${backup.id}: ${backup.storedSize} bytes stored`);
  },
} satisfies ExportedHandler<Env>;

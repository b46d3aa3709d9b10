import type * as backups from "../engine/open-backup.node.ts";
import { needsFiles } from "./needs-files.ts";

/** Not for this runtime. @throws PagemarkError `RUNTIME_UNSUPPORTED` */
export const openBackup: typeof backups.openBackup = /* @__PURE__ */ needsFiles(
  "openBackup",
  "restore the backup into memory instead, by download()",
);

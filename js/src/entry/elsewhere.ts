// What works with files of the system, for runtimes that have none: every entry exports the same names, so that one program
// can be written for a server and a browser, and one set of types is right for both.

import type * as checkpoints from "../sources/file/checkpoint.ts";
import type * as damaged from "../sources/file/damaged.ts";
import type * as files from "../sources/file/file.ts";
import type * as folders from "../stores/folder/folder.ts";
import type * as sftps from "../stores/sftp/sftp.ts";
import { needsFiles } from "./needs-files.ts";

export { type OpenStoreOptions, openStore } from "../places/open-store.ts";
export type { Checkpoint } from "../sources/file/checkpoint.ts";
export type { SftpOptions } from "../stores/sftp/connection.ts";
export {
  type WatchEvent,
  Watcher,
  type WatchOptions,
  type WatchStatus,
  watch,
} from "../vault/watch.ts";

const SOURCES = "give the database's bytes, a Blob or a File to memory(), or use opfs() in a page";
const STORES = "use opfsStore() in a page, r2() in a Worker, s3(), or a store of your own by storeFrom()";

/** Not for this runtime. @throws PagemarkError `RUNTIME_UNSUPPORTED` */
export const file: typeof files.file = /* @__PURE__ */ needsFiles("file", SOURCES);

/** Not for this runtime. @throws PagemarkError `RUNTIME_UNSUPPORTED` */
export const damagedFile: typeof damaged.damagedFile = /* @__PURE__ */ needsFiles("damagedFile", SOURCES);

/** Not for this runtime. @throws PagemarkError `RUNTIME_UNSUPPORTED` */
export const checkpoint: typeof checkpoints.checkpoint = /* @__PURE__ */ needsFiles("checkpoint", SOURCES);

/** Not for this runtime. @throws PagemarkError `RUNTIME_UNSUPPORTED` */
export const folder: typeof folders.folder = /* @__PURE__ */ needsFiles("folder", STORES);

/** Not for this runtime. @deprecated the old name of {@link folder} */
export const fs: typeof folders.fs = folder;

/** Not for this runtime. @throws PagemarkError `RUNTIME_UNSUPPORTED` */
export const sftp: typeof sftps.sftp = /* @__PURE__ */ needsFiles("sftp", STORES);

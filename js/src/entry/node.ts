import "../core/require-runtime.node.ts";
import { usePlatform } from "../core/index.ts";
import { nodePlatform } from "../core/platform.node.ts";

usePlatform(nodePlatform);

export * from "../index.ts";
export { openStore } from "../places/open-store.node.ts";
export type { OpenStoreOptions } from "../places/open-store.ts";
export { type Checkpoint, checkpoint } from "../sources/file/checkpoint.ts";
export { type DamagedFileOptions, damagedFile } from "../sources/file/damaged.ts";
export { file } from "../sources/file/file.ts";
export { folder, fs } from "../stores/folder/folder.ts";
export type { SftpOptions } from "../stores/sftp/connection.ts";
export { sftp } from "../stores/sftp/sftp.ts";
export {
  type WatchEvent,
  Watcher,
  type WatchOptions,
  type WatchStatus,
  watch,
} from "../vault/watch.ts";

import "../core/require-runtime.node.ts";
import { useEngine } from "../core/index.ts";
import { compiled } from "../core/platform.node.ts";
import "./node.ts";

useEngine(async () => compiled("engine"));

export * from "../engine/index.ts";
export { type OpenBackupOptions, type OpenedBackup, openBackup } from "../engine/open-backup.node.ts";

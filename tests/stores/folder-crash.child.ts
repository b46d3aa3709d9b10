// Puts two objects in the folder of argv[2], and is killed after the argv[3]th call to the file system: of a write half
// is done. Ends with 0 when it did fewer calls. argv[4] says whether there are hard links.
import { folder as folderStore } from "pagemark";
import { putTwo, systemError, watch } from "./folder-calls.ts";

const [, , folder = "", last, links] = process.argv;
let calls = 0;

await watch(async ({ name, args }, next) => {
  const now = ++calls === Number(last);
  if (now && name === "handle.write") args[2] = Math.floor(Number(args[2]) / 2);
  try {
    if (name === "link" && links === "without hard links") throw systemError("EPERM");
    return await next();
  } finally {
    if (now) process.kill(process.pid, "SIGKILL");
  }
});
await putTwo(folderStore(folder));

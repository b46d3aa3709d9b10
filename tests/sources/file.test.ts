import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { file } from "pagemark";
import { sourceContract } from "../contracts/source.ts";

sourceContract("file()", async (image) => {
  const folder = await mkdtemp(join(tmpdir(), "pagemark-"));
  const path = join(folder, "app.db");
  await writeFile(path, image);
  return { source: file(path), cleanup: () => rm(folder, { recursive: true }) };
});

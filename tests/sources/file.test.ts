import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { file } from "pagemark";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sourceContract } from "../contracts/source.ts";
import { imageOf } from "../contracts/source-cases/image.ts";
import { createBank } from "./bank.ts";

sourceContract("file()", async (image) => {
  const folder = await mkdtemp(join(tmpdir(), "pagemark-"));
  const path = join(folder, "app.db");
  await writeFile(path, image);
  return { source: file(path), cleanup: () => rm(folder, { recursive: true }) };
});

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pagemark-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

test("a file is called by its name without its ending", () => {
  const names = ["/a/shop.db", "shop", "./x/shop.v2.sqlite", ".hidden", "/a/ממש.db", "a b.db"];
  expect(names.map((path) => file(path).name)).toEqual(["shop", "shop", "shop.v2", ".hidden", "ממש", "a b"]);
});

describe("what cannot be read is named, and why", () => {
  const refusal = async (path: string) => {
    const error = await file(path)
      .pin()
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(error).toMatchObject({ name: "SourceError", message: expect.stringContaining(path.slice(0, 40)) });
    return (error as { code: string }).code;
  };

  test("a file that is missing, or whose folder is", async () => {
    expect(await refusal(join(folder, "none.db"))).toBe("SOURCE_MISSING");
    expect(await refusal(join(folder, "none/none.db"))).toBe("SOURCE_MISSING");
    writeFileSync(join(folder, "file"), "");
    expect(await refusal(join(folder, "file/none.db"))).toBe("SOURCE_MISSING");
    symlinkSync("none.db", join(folder, "link.db"));
    expect(await refusal(join(folder, "link.db"))).toBe("SOURCE_MISSING");
    symlinkSync("circle.db", join(folder, "circle.db"));
    expect(await refusal(join(folder, "circle.db"))).toBe("SOURCE_MISSING");
    expect(await refusal(join(folder, `${"x".repeat(1025)}.db`))).toBe("SOURCE_MISSING");
  });

  test("a name with a NUL in it", async () => {
    await expect(file("a\0b.db").pin()).rejects.toMatchObject({ code: "SOURCE_MISSING" });
  });

  test("a folder, or a pipe that would never end", async () => {
    mkdirSync(join(folder, "folder.db"));
    expect(await refusal(join(folder, "folder.db"))).toBe("SOURCE_NOT_A_FILE");
    if (process.platform === "win32") return;
    execFileSync("mkfifo", [join(folder, "pipe.db")]);
    expect(await refusal(join(folder, "pipe.db"))).toBe("SOURCE_NOT_A_FILE");
  });

  test.skipIf(process.getuid?.() === 0)("a file that may not be read", async () => {
    writeFileSync(join(folder, "secret.db"), imageOf(512, 2));
    chmodSync(join(folder, "secret.db"), 0);
    expect(await refusal(join(folder, "secret.db"))).toBe("SOURCE_DENIED");
  });

  test("what is no database, by the path at which it is", async () => {
    const path = join(folder, "text.db");
    writeFileSync(path, "Dear diary");
    await expect(file(path).pin()).rejects.toMatchObject({ name: "DamageError", at: { name: path } });
  });
});

test("a moment that was forgotten does not keep the process from ending", () => {
  const path = join(folder, "app.db");
  createBank(path, { journal: "delete" });
  const script = `import { file } from "pagemark"; await file(process.argv[1], { lockMs: 600_000 }).pin();`;
  execFileSync(process.execPath, ["--input-type=module", "-e", script, path], { timeout: 20_000 });
});

test("nothing is printed about node:sqlite, and other warnings are", () => {
  const path = join(folder, "app.db");
  createBank(path, { journal: "delete" });
  const script = `import { file } from "pagemark";
    await (await file(process.argv[1]).pin()).release();
    process.emitWarning("this is another one");`;
  const args = ["--input-type=module", "-e", script, path];
  const printed = execFileSync("sh", ["-c", '"$0" "$@" 2>&1', process.execPath, ...args]).toString();
  expect(printed).toContain("this is another one");
  expect(printed).not.toContain("SQLite");
});

// What a shell is told of the commands, hooks around a backup, and what is printed when nobody wants to hear of success.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
beforeAll(() => runSql(join(folder, "app.db"), tableSql("t", 3)));

test("bash completes commands, what is below them, their options, and files", () => {
  writeFileSync(join(folder, "completion.bash"), cli.run("completion", "bash").stdout);
  const complete = (...words: string[]) => {
    const script = `source ./completion.bash; COMP_WORDS=(pagemark "$@"); COMP_CWORD=$#; _pagemark; echo "\${COMPREPLY[*]}"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", script, "bash", ...words], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    return stdout.trim();
  };
  expect(complete("back")).toBe("backup");
  expect(complete("--json", "verif")).toBe("verify");
  expect(complete("key", "")).toBe("list add remove");
  expect(complete("backup", "--sam")).toBe("--same-database");
  expect(complete("backup", "app.db", "--to", "app")).toBe("app.db");
  expect(cli.failure("completion", "tcsh")).toEqual([2, "USAGE"]);
});

test("zsh, fish and the manual know every command and option that the help knows", () => {
  const help = cli.run("restore", "--help").stdout;
  const options = [...help.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)]
    .map(([, option = ""]) => option)
    .filter((each) => each !== "--help");
  expect(options.length).toBeGreaterThan(10);
  const [zsh, fish] = ["zsh", "fish"].map((shell) => cli.run("completion", shell).stdout);
  const manual = cli.run("man").stdout;
  for (const option of options) {
    expect(zsh).toContain(`'${option}[`);
    expect(fish).toContain(`__fish_seen_subcommand_from restore' -l ${option.slice(2)} `);
    expect(manual).toContain(option.replaceAll("-", "\\-"));
  }
  // The shells that are here read them. Bash reads the quotes of zsh as zsh does.
  writeFileSync(join(folder, "zsh"), zsh ?? "");
  writeFileSync(join(folder, "fish"), fish ?? "");
  for (const [shell, name] of [
    ["bash", "zsh"],
    ["zsh", "zsh"],
    ["fish", "fish"],
  ] as const) {
    const { error, stderr } = spawnSync(shell, ["-n", join(folder, name)], { encoding: "utf8" });
    if (error === undefined || shell === "bash") expect(stderr, shell).toBe("");
  }
  // Nothing that roff would take for something else.
  expect(manual).toMatch(/^[\x20-\x7e\n]*$/);
  expect([...manual.matchAll(/^\.\S+/gm)].every(([macro]) => /^\.(TH|SH|SS|TP|B|I)$/.test(macro))).toBe(true);
});

test("hooks run around a backup and hear what came of it; one that fails before it keeps it from being made", async () => {
  const beats: string[] = [];
  const server = createServer((request, response) => {
    beats.push(request.url ?? "");
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const heartbeat = `http://127.0.0.1:${(server.address() as AddressInfo).port}/beat`;
  const said = "echo $PAGEMARK_NAME $PAGEMARK_STATUS";
  const args = [
    "backup",
    "app.db",
    "--to",
    "store",
    "--quiet",
    "--exec-after",
    said,
    "--heartbeat",
    heartbeat,
  ];
  const made = await cli.runBeside({}, ...args, "--exec-before", said);
  expect(made).toEqual({ status: 0, stdout: "", stderr: "app due\napp done\n" });
  const kept = await cli.runBeside({}, ...args, "--exec-before", "exit 7");
  expect([kept.status, kept.stderr]).toEqual([
    1,
    expect.stringMatching(/^app failed\nerror: .*exit code 7 \[HOOK_FAILED\]\n$/),
  ]);
  server.close();
  expect(beats).toEqual(["/beat"]);
  // What fails after a backup makes nothing of that: it is told once, and that the backup was made.
  const after = `exec-after = "${said}; exit 7"`;
  writeFileSync(join(folder, "plan.toml"), `store = "planned"\n${after}\n[[databases]]\nfile = "app.db"\n`);
  const failed = await cli.runBeside({}, "run", "--once", "--quiet", "--config", "plan.toml");
  expect([failed.status, failed.stderr]).toEqual([
    1,
    expect.stringMatching(/^app done\nerror: .*exit code 7; the backup was made \[HOOK_FAILED\]\n$/),
  ]);
  writeFileSync(join(folder, "none.toml"), 'store = "planned"\n[[databases]]\nfile = "*.sqlite"\n');
  expect(cli.run("run", "--once", "--config", "none.toml").stderr).toBe("note: no file fits *.sqlite yet\n");
  // Whoever watches hears of a folder that is gone.
  const none = cli.run("status", "--json", "--config", "none.toml");
  expect(none.status).toBe(1);
  expect(JSON.parse(none.stdout)).toMatchObject([
    { name: "*.sqlite", state: "none", last: null, next: null },
  ]);
  expect(cli.json<unknown[]>("list", "app", "--from", "store")).toHaveLength(1);
});

test("quiet, what was asked for is printed, and nothing of what was done", () => {
  expect(cli.run("--quiet", "list", "app", "--from", "store").stdout).toMatch(/created_at/);
  const restore = ["restore", "app", "--from", "store", "-o", "copy.db", "--quiet"];
  expect(cli.run(...restore)).toEqual({ status: 0, stdout: "", stderr: "" });
  expect(cli.run(...restore).stderr).toMatch(/TARGET_EXISTS/);
  expect(cli.json<{ tables: unknown[] }>(...restore, "--force").tables).toHaveLength(1);
});

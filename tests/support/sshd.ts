// A real OpenSSH server on loopback, for the user who runs the tests; keys and settings are its own.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { tempFolder } from "./temp.ts";

const SSHD = "/usr/sbin/sshd";
const SERVER = "/usr/lib/openssh/sftp-server";

/** Why there is none here; `undefined` where there is. */
export const noSshd = existsSync(SSHD) && existsSync(SERVER) ? undefined : "openssh-server is not installed";

export interface Sshd {
  port: number;
  username: string;
  /** The file of a key that it takes, and of one that it does not. */
  identity: string;
  stranger: string;
  knownHosts: string;
  hostKey: Uint8Array;
}

export async function startSshd(): Promise<Sshd> {
  const folder = tempFolder();
  const path = (name: string) => join(folder, name);
  for (const name of ["host", "identity", "stranger"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path(name)]);
  const port = await freePort();
  writeFileSync(path("authorized"), readFileSync(path("identity.pub")), { mode: 0o600 });
  writeFileSync(
    path("config"),
    [
      ...[`Port ${port}`, "ListenAddress 127.0.0.1", `HostKey ${path("host")}`, `PidFile ${path("pid")}`],
      ...[
        `AuthorizedKeysFile ${path("authorized")}`,
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
      ],
      ...["PermitRootLogin yes", "MaxStartups 100", `Subsystem sftp ${SERVER}`],
    ].join("\n"),
  );
  // Where it runs as root it wants this folder.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  const child = spawn(SSHD, ["-D", "-e", "-f", path("config")], { stdio: "ignore" });
  afterAll(() => child.kill());
  const [type, base64 = ""] = readFileSync(path("host.pub"), "utf8").split(" ");
  writeFileSync(path("known"), `[127.0.0.1]:${port} ${type} ${base64}\n`);
  await new Promise((resolve) => setTimeout(resolve, 500));
  return {
    port,
    username: userInfo().username,
    identity: path("identity"),
    stranger: path("stranger"),
    knownHosts: path("known"),
    hostKey: Buffer.from(base64, "base64"),
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

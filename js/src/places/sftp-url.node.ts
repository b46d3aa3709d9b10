// `sftp://user@host/path`, and what the files of OpenSSH add to it.
import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { PagemarkError } from "../errors/index.ts";
import type { SftpOptions } from "../stores/sftp/connection.ts";
import type { Environment } from "./s3-url.ts";
import { keepSecret } from "./secrets.ts";
import { parseStoreUrl } from "./store-url.ts";

const PARAMETERS = ["identity", "host-key", "known-hosts"];
/** As `ssh` looks for them. */
const KEYS = ["id_ed25519", "id_ecdsa", "id_rsa"];

export function sftpFromUrl(place: string, env: Environment): SftpOptions {
  const url = parseStoreUrl(place, PARAMETERS);
  const [, host = "", port] = /^(.*?)(?::(\d+))?$/.exec(url.host) ?? [];
  if (host === "" || /^\/*$/.test(url.path)) {
    const advice = "give sftp://user@host/path, or sftp://user@host/~/path for one in the user's own folder";
    throw new PagemarkError("USAGE", `${url.shown}: ${advice}`, { name: url.shown });
  }
  const ssh = join(homedir(), ".ssh");
  const identity = url.parameters.get("identity");
  const keys = identity === undefined ? KEYS.map((name) => join(ssh, name)) : [identity];
  const privateKeys = keys.flatMap((path) => {
    const text = textOf(path);
    if (text === undefined && identity !== undefined) {
      const message = `${url.shown}: the file that identity names cannot be read`;
      throw new PagemarkError("USAGE", message, { name: identity });
    }
    return text === undefined ? [] : [text];
  });
  const password = url.password ?? (env.PAGEMARK_SFTP_PASSWORD || undefined);
  const keyPassphrase = env.PAGEMARK_SFTP_KEY_PASSPHRASE || undefined;
  keepSecret(password);
  keepSecret(keyPassphrase);
  const agent = identity === undefined ? env.SSH_AUTH_SOCK || undefined : undefined;
  const fingerprint = url.parameters.get("hostkey");
  const known = textOf(url.parameters.get("knownhosts") ?? join(ssh, "known_hosts")) ?? "";
  return {
    host: host.replace(/^\[(.*)\]$/, "$1"),
    ...(port !== undefined && { port: Number(port) }),
    username: url.user ?? userInfo().username,
    path: url.path === "~" || url.path.startsWith("~/") ? url.path.slice(2) : `/${url.path}`,
    privateKeys,
    ...(password !== undefined && { password }),
    ...(keyPassphrase !== undefined && { keyPassphrase }),
    ...(agent !== undefined && { agent }),
    isHostKey: (key) =>
      fingerprint === undefined
        ? isKnown(known, host, Number(port ?? 22), key)
        : fingerprintOf(key) === fingerprint,
  };
}

/** As `ssh-keygen -l` writes it: `SHA256:…`. */
function fingerprintOf(key: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** Whether a file of known hosts has that key for the host. */
function isKnown(text: string, host: string, port: number, key: Uint8Array): boolean {
  const wanted = Buffer.from(key).toString("base64");
  const name = port === 22 ? host : `[${host}]:${port}`;
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const isOf = (hosts = "") => hosts.split(",").some((each) => each === name || isHashOf(each, name));
  // A key that was taken back is worse than none.
  if (lines.some(([mark, , , base64]) => mark === "@revoked" && base64 === wanted)) return false;
  return lines.some(([hosts, , base64]) => base64 === wanted && isOf(hosts));
}

/** `|1|salt|hash`, as `HashKnownHosts` has it. */
function isHashOf(text: string, name: string): boolean {
  const [, salt, hash] = /^\|1\|([^|]+)\|([^|]+)$/.exec(text) ?? [];
  if (salt === undefined) return false;
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

// What `serve` keeps beside the databases: the token, and what URLs are signed with. For its owner's eyes only.
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemCode } from "../node/errno.ts";
import { fileError } from "../sources/file/errors.ts";

/** The folder, within that of the databases. */
export const STATE = ".pagemark-serve";
const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;
const TOKEN_BYTES = 32;

export interface Secrets {
  token: string;
  /** The file that has the token; missing when it came from elsewhere. */
  file?: string;
  /** Whether the token was made just now. */
  isNew: boolean;
  /** What URLs are signed with. */
  url: Uint8Array;
}

/** Reads the secrets in `folder`, and makes those that are not there yet; `given` is a token that the user has. */
export function openSecrets(folder: string, given: string | undefined): Secrets {
  try {
    mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
    chmodSync(folder, PRIVATE_FOLDER);
    const url = Buffer.from(readOrMake(join(folder, "url-secret")).text, "base64url");
    if (given !== undefined) return { token: given, isNew: false, url };
    const file = join(folder, "token");
    const { text: token, isNew } = readOrMake(file);
    return { token, file, isNew, url };
  } catch (error) {
    throw fileError(error, folder, "write");
  }
}

function readOrMake(path: string): { text: string; isNew: boolean } {
  const text = randomBytes(TOKEN_BYTES).toString("base64url");
  try {
    writeFileSync(path, `${text}\n`, { flag: "wx", mode: PRIVATE_FILE, flush: true });
    return { text, isNew: true };
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
  // Whoever copied it here may have let others read it.
  chmodSync(path, PRIVATE_FILE);
  const kept = readFileSync(path, "utf8").trim();
  if (kept !== "") return { text: kept, isNew: false };
  // Cut off when it was made.
  writeFileSync(path, `${text}\n`, { flush: true });
  return { text, isNew: true };
}

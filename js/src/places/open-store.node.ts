import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PagemarkError } from "../errors/index.ts";
import { folder } from "../stores/folder/folder.ts";
import { sftp } from "../stores/sftp/sftp.ts";
import type { Store } from "../stores/store.ts";
import { archive, isArchive } from "./archive.node.ts";
import { awsProfile } from "./aws-profile.node.ts";
import { cutLocality, type PlaceText } from "./locality-url.ts";
import { encryptionKeys, type OpenStoreOptions, openAt } from "./open-store.ts";
import { redacted } from "./secrets.ts";
import { sftpFromUrl } from "./sftp-url.node.ts";
import { schemeOf } from "./store-url.ts";

/**
 * The store that a text names: a folder's path or `file:` URL, or another URL, such as `s3://bucket/prefix?region=eu-central-1`.
 * Nothing is asked of it yet. Keys come from the URL, the environment, or `~/.aws`, as docs/stores.md says; they are in no
 * message. Several texts, each with its `?PAGEMARK_LOCALITY=`, are one store, as docs/localities.md says.
 *
 * @throws PagemarkError `USAGE` or `PLACE_UNKNOWN`
 */
export function openStore(place: PlaceText, options: OpenStoreOptions = {}): Store {
  return openAt(place, options, {
    open: (text, scheme, env) => {
      if (scheme === "sftp") return sftp(sftpFromUrl(text, env));
      const path = folderPath(text);
      if (path === undefined) return undefined;
      return isArchive(path) ? archive(path) : folder(path);
    },
    profileOf: awsProfile,
    read,
  });
}

/** The keys for encrypted stores that the process's environment gives. */
export function keysOfEnvironment() {
  return encryptionKeys(process.env, { read }) ?? {};
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const message = "the file that PAGEMARK_AGE_IDENTITY names cannot be read";
    throw new PagemarkError("USAGE", message, { name: path }, { cause });
  }
}

/**
 * The path of a store that is a folder; `undefined` for any other.
 *
 * @throws PagemarkError `USAGE`
 */
export function folderPath(tagged: string): string | undefined {
  const { place } = cutLocality(tagged);
  const scheme = schemeOf(place);
  if (scheme === undefined) return place;
  if (scheme !== "file") return undefined;
  try {
    const url = new URL(place);
    if (url.search !== "" || url.hash !== "") throw new TypeError("it has parameters");
    return fileURLToPath(url);
  } catch (cause) {
    const shown = redacted(place);
    const message = `${shown}: a folder's URL is file:///path, without a host and parameters`;
    throw new PagemarkError("USAGE", message, { name: shown }, { cause });
  }
}

// Texts to stores: the one place that knows which driver a text means.
import { PagemarkError, StoreError } from "../errors/index.ts";
import { encrypted } from "../stores/encrypted/encrypted.ts";
import type { EncryptionKeys } from "../stores/encrypted/keys.ts";
import { http } from "../stores/http/http.ts";
import { LocalitiesStore } from "../stores/localities/localities.ts";
import { s3 } from "../stores/s3/s3.ts";
import type { Store } from "../stores/store.ts";
import { cutLocality, localitiesOf, type PlaceText, placesIn, type TaggedPlace } from "./locality-url.ts";
import { type Environment, type Profile, s3FromUrl } from "./s3-url.ts";
import { keepSecret, redacted } from "./secrets.ts";
import { parseStoreUrl, schemeOf } from "./store-url.ts";

const IDENTITY = /^AGE-SECRET-KEY-(PQ-)?1[0-9A-Z]+$/;

/** How {@link openStore} opens a store. */
export interface OpenStoreOptions {
  /** Environment variables; the process's unless given, where there is one. */
  env?: Environment;
  /** Leaves it as it lies there, whatever keys the environment has. */
  plain?: boolean;
  /** Where the writer is, for several stores: tiers such as `region=eu,az=1`. */
  locality?: string | undefined;
  /** The only locality whose store is read, for several stores. */
  fromLocality?: string | undefined;
  /** Is told what was set right in what was given. */
  onNote?(note: string): void;
}

/** What a runtime has beside what all of them have. */
export interface Places {
  /** The store of a scheme, or of a path, which has none; `undefined` when it has no such. */
  open?(place: string, scheme: string | undefined, env: Environment): Store | undefined;
  profileOf?(name: string | undefined, env: Environment): Profile | undefined;
  /** The text of a file. */
  read?(path: string): string;
}

/**
 * The store that a URL names, such as `s3://bucket/prefix?region=eu-central-1`. Nothing is asked of it yet. Keys come from the
 * URL or from the environment, as docs/stores.md says; they are in no message. Several URLs, each with its `?PAGEMARK_LOCALITY=`, are
 * one store, as docs/localities.md says.
 *
 * @throws PagemarkError `USAGE` or `PLACE_UNKNOWN`
 */
export function openStore(place: PlaceText, options: OpenStoreOptions = {}): Store {
  return openAt(place, options, {});
}

export function openAt(place: PlaceText, options: OpenStoreOptions, places: Places): Store {
  const tagged = placesIn(place).map(cutLocality);
  const [first, ...others] = tagged;
  if (first?.encoded === undefined && others.length === 0) {
    if (options.fromLocality === undefined) return openOne(first?.place ?? "", options, places);
    const message = `${redacted(first?.place ?? "")} is one store without a locality: there is nothing to choose from; leave the locality to read from out`;
    throw new PagemarkError("USAGE", message);
  }
  const stores = tagged.map((each) => openOne(each.place, options, places));
  const { locality: writer, fromLocality: only, onNote } = options;
  return new LocalitiesStore(stores, () => namesOf(tagged, onNote), { writer, only });
}

async function namesOf(
  places: readonly TaggedPlace[],
  onNote: OpenStoreOptions["onNote"],
): Promise<string[]> {
  const names = await localitiesOf(places);
  const at = names.indexOf("default");
  if (at > 0)
    onNote?.(`${redacted(places[at]?.place ?? "")} is the default store and is taken for the first`);
  return names;
}

function openOne(place: string, options: OpenStoreOptions, places: Places): Store {
  const { plain = false } = options;
  const env = filled(options.env ?? environment());
  const store = plainStore(place, env, places);
  const keys = plain ? undefined : encryptionKeys(env, places);
  return keys === undefined ? store : encrypted(store, keys);
}

function plainStore(place: string, env: Environment, places: Places): Store {
  const scheme = schemeOf(place);
  if (scheme === "s3") return s3(s3FromUrl(place, env, (name) => places.profileOf?.(name, env)));
  if (scheme === "https" || scheme === "http") return httpFromUrl(place, env);
  const store = places.open?.(place, scheme, env);
  if (store !== undefined) return store;
  const what =
    scheme === undefined ? "a folder, which this runtime has not" : `${scheme}:, for which no store is known`;
  const shown = redacted(place);
  const message = `${shown} is ${what}; give s3://bucket/prefix, https://worker/store/name${places.open ? ", or a folder such as ./backups" : ""}`;
  throw new PagemarkError("PLACE_UNKNOWN", message, { name: shown });
}

/** `https://worker/store/name`, its token in the environment or in the URL. */
function httpFromUrl(place: string, env: Environment): Store {
  const { scheme, host, path, user, password, parameters, shown } = parseStoreUrl(place, ["token"]);
  const token = parameters.get("token") ?? password ?? user ?? env.PAGEMARK_TOKEN ?? "";
  keepSecret(token);
  if (token === "") {
    const message = `there is no token for ${shown}; set PAGEMARK_TOKEN to the Worker's`;
    throw new StoreError("STORE_CREDENTIALS", message, { name: shown });
  }
  return http(`${scheme}://${host}/${path}`, { token });
}

/** The keys that the environment gives for stores, as docs/encryption.md says; `undefined` when it gives none. */
export function encryptionKeys(env: Environment, places: Pick<Places, "read">): EncryptionKeys | undefined {
  const given = env.PAGEMARK_AGE_IDENTITY ?? "";
  const text = given === "" || IDENTITY.test(given) ? given : (places.read?.(given) ?? "");
  const identities = text.split(/\s+/).filter((each) => IDENTITY.test(each));
  if (given !== "" && identities.length === 0) {
    const message =
      "PAGEMARK_AGE_IDENTITY is neither AGE-SECRET-KEY-1… nor a file with one, as age-keygen writes it";
    throw new PagemarkError("USAGE", message);
  }
  const passphrases = env.PAGEMARK_PASSPHRASE ? [env.PAGEMARK_PASSPHRASE] : [];
  const recipients = (env.PAGEMARK_AGE_RECIPIENTS ?? "").split(/[\s,]+/).filter((each) => each !== "");
  for (const secret of [...identities, ...passphrases]) keepSecret(secret);
  if (identities.length + passphrases.length + recipients.length === 0) return undefined;
  return { identities, passphrases, recipients };
}

/** An empty variable is none. */
function filled(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
}

function environment(): Environment {
  return (globalThis as { process?: { env?: Environment } }).process?.env ?? {};
}

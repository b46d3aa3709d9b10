// Texts to stores: the one place that knows which driver a text means.
import { PagemarkError } from "../errors/index.ts";
import { s3 } from "../stores/s3.ts";
import type { Store } from "../stores/store.ts";
import { type Environment, type Profile, s3FromUrl } from "./s3-url.ts";
import { redacted } from "./secrets.ts";
import { schemeOf } from "./store-url.ts";

/** How {@link openStore} opens a store. */
export interface OpenStoreOptions {
  /** Environment variables; the process's unless given, where there is one. */
  env?: Environment;
}

/** What a runtime has beside what all of them have. */
export interface Places {
  /** The store of a scheme, or of a path, which has none; `undefined` when it has no such. */
  open?(place: string, scheme: string | undefined, env: Environment): Store | undefined;
  profileOf?(name: string | undefined, env: Environment): Profile | undefined;
}

/**
 * The store that a URL names, such as `s3://bucket/prefix?region=eu-central-1`. Nothing is asked of it yet. Keys come from the
 * URL or from the environment, as docs/stores.md says; they are in no message.
 *
 * @throws PagemarkError `USAGE` or `PLACE_UNKNOWN`
 */
export function openStore(place: string, options: OpenStoreOptions = {}): Store {
  return openAt(place, options, {});
}

export function openAt(place: string, { env = environment() }: OpenStoreOptions, places: Places): Store {
  const scheme = schemeOf(place);
  if (scheme === "s3") return s3(s3FromUrl(place, env, (name) => places.profileOf?.(name, env)));
  const store = places.open?.(place, scheme, env);
  if (store !== undefined) return store;
  const what =
    scheme === undefined ? "a folder, which this runtime has not" : `${scheme}:, for which no store is known`;
  const shown = redacted(place);
  const message = `${shown} is ${what}; give s3://bucket/prefix${places.open ? ", or a folder such as ./backups" : ""}`;
  throw new PagemarkError("PLACE_UNKNOWN", message, { name: shown });
}

function environment(): Environment {
  return (globalThis as { process?: { env?: Environment } }).process?.env ?? {};
}

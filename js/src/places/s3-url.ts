// `s3://bucket/prefix?region=…&endpoint=…`, and what the environment adds to it.
import { PagemarkError, StoreError } from "../errors/index.ts";
import type { S3Credentials, S3Options } from "../stores/s3/options.ts";
import { keepSecret } from "./secrets.ts";
import { bytesOf, parseStoreUrl, switchOf } from "./store-url.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the files of a user say for a profile: the keys of its section, in `~/.aws/config` and in `credentials`. */
export type Profile = Readonly<Record<string, string>>;

const PARAMETERS = [
  "region",
  "endpoint",
  "path-style",
  "storage-class",
  "sse",
  "sse-kms-key-id",
  "checksum",
  "conditional-put",
  "part-size",
  "profile",
  "access-key-id",
  "secret-access-key",
  "session-token",
] as const;
/** Other names of them: Litestream's, and those with which others write the keys. */
const ALIASES: Readonly<Record<string, (typeof PARAMETERS)[number]>> = {
  "force-path-style": "path-style",
  "aws-region": "region",
  "aws-endpoint": "endpoint",
  "aws-access-key-id": "access-key-id",
  "aws-secret-access-key": "secret-access-key",
  "aws-session-token": "session-token",
};

/** @param profileOf reads a profile, where there are files; `undefined` for the usual one */
export function s3FromUrl(
  place: string,
  env: Environment,
  profileOf: (name: string | undefined) => Profile | undefined,
): S3Options {
  const url = parseStoreUrl(place, [...PARAMETERS, ...Object.keys(ALIASES)]);
  const given = (name: (typeof PARAMETERS)[number]): string | undefined => {
    const names = [name, ...Object.keys(ALIASES).filter((each) => ALIASES[each] === name)];
    const values = names.map((each) => url.parameters.get(each.replaceAll("-", "")));
    return values.find((value) => value !== undefined && value !== "");
  };
  if (/:\d*$/.test(url.host) || url.host === "") {
    const advice = "the bucket is the host: give s3://bucket/prefix?endpoint=http://localhost:9000";
    throw new PagemarkError("USAGE", `${url.shown}: ${advice}`, { name: url.shown });
  }
  const named = given("profile");
  const profile = profileOf(named ?? env.AWS_PROFILE);
  const region = given("region") ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? profile?.region;
  const endpoint =
    given("endpoint") ?? env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL ?? profile?.endpoint_url;
  const options: { [name in keyof Omit<S3Options, "credentials">]: S3Options[name] | undefined } = {
    bucket: url.host,
    prefix: url.path,
    region: region || undefined,
    endpoint: endpoint || undefined,
    pathStyle: switchOf(url, "path-style") ?? switchOf(url, "force-path-style"),
    storageClass: given("storage-class"),
    encryption: given("sse"),
    kmsKeyId: given("sse-kms-key-id"),
    checksum: switchOf(url, "checksum"),
    conditionalPut: switchOf(url, "conditional-put"),
    partSize: bytesOf(url, "part-size"),
  };
  const ofUrl = {
    accessKeyId: given("access-key-id") ?? url.user,
    secretAccessKey: given("secret-access-key") ?? url.password,
    sessionToken: given("session-token"),
  };
  const credentials = () =>
    keysOf([
      ofUrl,
      ...(named === undefined ? [keysOfEnvironment(env)] : []),
      keysOfProfile(profileOf(named ?? env.AWS_PROFILE)),
    ]) ?? noKeys(url.shown, profile);
  const set = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(set) as unknown as S3Options), credentials };
}

type Keys = { [name in "accessKeyId" | "secretAccessKey" | "sessionToken"]: string | undefined };

function keysOfEnvironment(env: Environment): Keys {
  return {
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    sessionToken: env.AWS_SESSION_TOKEN,
  };
}

function keysOfProfile(profile: Profile = {}): Keys {
  return {
    accessKeyId: profile.aws_access_key_id,
    secretAccessKey: profile.aws_secret_access_key,
    sessionToken: profile.aws_session_token,
  };
}

/** The first that are whole. */
function keysOf(places: readonly Keys[]): S3Credentials | undefined {
  for (const { accessKeyId, secretAccessKey, sessionToken } of places) {
    if (!accessKeyId || !secretAccessKey) continue;
    keepSecret(secretAccessKey);
    keepSecret(sessionToken);
    return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
  }
  return undefined;
}

function noKeys(shown: string, profile: Profile | undefined): never {
  const others = ["role_arn", "sso_session", "sso_start_url", "credential_process"];
  const how = others.some((each) => profile?.[each] !== undefined)
    ? 'the profile gets its keys in another way; run eval "$(aws configure export-credentials --format env)" first'
    : "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";
  throw new StoreError("STORE_CREDENTIALS", `there are no keys for ${shown}; ${how}`, { name: shown });
}

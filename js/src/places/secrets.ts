// What must be in no message: kept apart as soon as it is seen, and taken out wherever text leaves the program.

/** What is shorter may stand for itself anywhere. */
const SHORTEST = 6;
const secrets = new Set<string>();

/** Says that `text` is a secret: {@link withoutSecrets} takes it out from now on. */
export function keepSecret(text: string | undefined): void {
  if (text === undefined || text.length < SHORTEST) return;
  secrets.add(text);
  secrets.add(encodeURIComponent(text));
}

/** Text without secrets that are known, and without what is one by its place in a URL. */
export function withoutSecrets(text: string): string {
  return withoutKnown(text.replace(/\b[a-z][a-z0-9+.-]+:\/\/[^\s"'<>`]*[^\s"'<>`:;,.)]/gi, redacted));
}

/** Text without secrets that are known. */
export function withoutKnown(text: string): string {
  let clean = text;
  for (const secret of secrets) clean = clean.replaceAll(secret, "redacted");
  return clean;
}

/** Parameters of a URL that may be shown, written without - and _ and capitals. */
const SHOWN: ReadonlySet<string> = new Set([
  "region",
  "pagemarklocality",
  "cockroachlocality",
  "endpoint",
  "pathstyle",
  "forcepathstyle",
  "storageclass",
  "sse",
  "profile",
  "partsize",
  "conditionalput",
  "checksum",
]);

/** A store as messages name it: a URL without its user's password and without values of parameters that may be secret. */
export function redacted(place: string): string {
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]+:)(.*)$/is.exec(place) ?? [];
  if (scheme === "") return place;
  const [before = "", ...queries] = rest.split("?");
  // Up to the last @: a password may have one, too, and a / that should have been written %2F.
  const [, slashes = "", whole = ""] = /^(\/*)(.*)$/s.exec(before) ?? [];
  const at = whole.lastIndexOf("@");
  // The user may be the secret itself, but not where there are users.
  const hasUsers = /^(s3|sftp):$/i.test(scheme);
  const [name = "", ...password] = whole.slice(0, Math.max(0, at)).split(":");
  const by = `${hasUsers ? name : "redacted"}${password.length > 0 ? ":redacted" : ""}`;
  const user = at < 0 ? "" : `${by}@`;
  const parameters = queries.join("?").split("&").map(redactedParameter);
  const query = queries.length === 0 ? "" : `?${parameters.join("&")}`;
  return `${scheme}${slashes}${user}${whole.slice(at + 1)}${query}`;
}

function redactedParameter(parameter: string): string {
  const [name = "", ...values] = parameter.split("=");
  if (values.length === 0) return name;
  if (!SHOWN.has(plainName(name))) return `${name}=redacted`;
  const value = values.join("=");
  // An endpoint is a URL itself.
  const [plain] = [decoded(value)];
  return `${name}=${/:\/\/[^/]*@|[?]/.test(plain) ? "redacted" : value}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "?";
  }
}

/** A parameter's name as it is looked up: `force-path-style`, `forcePathStyle` and `AWS_REGION` are written in all ways. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, "");
}

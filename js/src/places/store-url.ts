// `[scheme]://[host]/[path]?[parameters]`: what a text says of a store. No message repeats it.
import { PagemarkError } from "../errors/index.ts";
import { keepSecret, plainName, redacted } from "./secrets.ts";

export interface StoreUrl {
  /** Without the colon, in small letters. */
  scheme: string;
  /** With the port. */
  host: string;
  user: string | undefined;
  password: string | undefined;
  /** Decoded, without a `/` at its ends. */
  path: string;
  /** By their names without `-`, `_` and capitals. */
  parameters: Map<string, string>;
  /** As messages name it. */
  shown: string;
}

/** Scheme of a text that is a URL; `undefined` for a path. A letter and a colon begin a path of Windows. */
export function schemeOf(place: string): string | undefined {
  return /^([a-z][a-z0-9+.-]+):/i.exec(place)?.[1]?.toLowerCase();
}

/** Parameters whose values are secrets. */
const SECRET = /secret|token|password|passphrase/;

/**
 * @param known names of the parameters that the scheme takes
 * @throws PagemarkError `USAGE`
 */
export function parseStoreUrl(place: string, known: readonly string[]): StoreUrl {
  const scheme = schemeOf(place) ?? "";
  const shown = redacted(place);
  const refuse = (why: string): never => {
    throw new PagemarkError("USAGE", `${shown}: ${why}`, { name: shown });
  };
  if (!URL.canParse(place) || !/^[^:]+:\/\//.test(place))
    refuse(`a store's URL has the form ${scheme}://host/path?parameter=value`);
  const url = new URL(place);
  if (url.hash !== "") refuse("a store's URL has no # in it; write %23");
  const parameters = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    const plain = plainName(name);
    if (SECRET.test(plain)) keepSecret(value);
    if (parameters.has(plain)) refuse(`the parameter ${JSON.stringify(name.slice(0, 40))} is given twice`);
    if (!known.some((each) => plainName(each) === plain))
      refuse(`there is no parameter ${JSON.stringify(name.slice(0, 40))}; there are ${known.join(", ")}`);
    parameters.set(plain, value);
  }
  const part = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      return refuse("a % in a store's URL is written %25");
    }
  };
  const password = url.password === "" ? undefined : part(url.password);
  keepSecret(password);
  return {
    scheme,
    host: part(url.host),
    user: url.username === "" ? undefined : part(url.username),
    password,
    path: part(url.pathname).replace(/^\/+|\/+$/g, ""),
    parameters,
    shown,
  };
}

/** A parameter that is `true` or `false`. */
export function switchOf({ parameters, shown }: StoreUrl, name: string): boolean | undefined {
  const text = parameters.get(plainName(name))?.toLowerCase();
  if (text === undefined) return undefined;
  if (["true", "1", "yes", ""].includes(text)) return true;
  if (["false", "0", "no"].includes(text)) return false;
  throw new PagemarkError("USAGE", `${shown}: ${name} must be true or false`, { name: shown });
}

/** A parameter that is a number of bytes, such as 16MiB. */
export function bytesOf({ parameters, shown }: StoreUrl, name: string): number | undefined {
  const text = parameters.get(plainName(name));
  if (text === undefined) return undefined;
  const [, digits = "", unit = ""] = /^(\d{1,12})(|KiB|MiB|GiB|KB|MB|GB)$/i.exec(text.trim()) ?? [];
  if (digits === "")
    throw new PagemarkError("USAGE", `${shown}: ${name} must be a size such as 16MiB`, { name: shown });
  const base = /i/i.test(unit) ? 1024 : 1000;
  return Number(digits) * base ** ["", "K", "M", "G"].indexOf(unit.slice(0, 1).toUpperCase());
}

// URLs that open one object for one method until a time, without a token.

/** For how long they are valid, in milliseconds. */
export const VALID_MS = 3_600_000;

/** The key that URLs are signed with, of 32 random bytes. */
export function urlKey(secret: Uint8Array): Promise<CryptoKey> {
  const raw = secret as Uint8Array<ArrayBuffer>;
  return crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

/**
 * Signs a URL for `method` until `expires`, in milliseconds since 1970. Method, path and time are signed; the host is
 * not, which proxies may change.
 */
export async function signUrl(key: CryptoKey, method: string, url: URL, expires: number): Promise<URL> {
  const signed = new URL(url);
  const text = String(Math.floor(expires));
  const signature = await crypto.subtle.sign("HMAC", key, message(method, signed.pathname, text));
  signed.search = `?expires=${text}&signature=${base64url(new Uint8Array(signature))}`;
  return signed;
}

/** Whether a URL was signed for that method and is still valid. HEAD is GET. Nothing but what was signed may be in it. */
export async function isSigned(key: CryptoKey, method: string, url: URL, now: number): Promise<boolean> {
  const [, expires = "", signature = ""] =
    /^\?expires=(\d{1,15})&signature=([\w-]{43})$/.exec(url.search) ?? [];
  if (signature === "") return false;
  const bytes = fromBase64url(signature);
  // What decodes to the same bytes is not the same text.
  if (base64url(bytes) !== signature) return false;
  const verb = method === "HEAD" ? "GET" : method;
  // `verify` takes the same time wherever the difference is.
  const isOurs = await crypto.subtle.verify("HMAC", key, bytes, message(verb, url.pathname, expires));
  return isOurs && now < Number(expires);
}

function message(method: string, path: string, expires: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${method}\n${path}\n${expires}`);
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}

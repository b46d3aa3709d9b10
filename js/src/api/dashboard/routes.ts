import { Hono } from "hono";
import { files, page, version } from "./assets.js";

/** The page at `/` and what it loads. Who has no token sees the form that asks for one. */
export const dashboard = new Hono();

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** Nothing but our own files, no script within the page, no other page around it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");
const SAFETY = {
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

dashboard.get("/", (c) => {
  const etag = `"${version}"`;
  const headers = { ...SAFETY, "cache-control": "no-cache", etag };
  if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
  return c.body(page, 200, { ...headers, "content-type": "text/html; charset=utf-8" });
});

dashboard.get("/dashboard/:version/:name", (c, next) => {
  const name = c.req.param("name");
  // With files of another version, the page would be put together from two.
  if (c.req.param("version") !== version || !Object.hasOwn(files, name)) return next();
  const type = TYPES[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
  const headers = { ...SAFETY, "cache-control": "public, max-age=31536000, immutable", "content-type": type };
  return Promise.resolve(c.body(files[name] ?? "", 200, headers));
});

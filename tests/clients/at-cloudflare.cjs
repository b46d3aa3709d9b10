// Loaded into a client that knows no other address than Cloudflare's: what it sends there goes to $WORKER_URL.
const http = require("node:http");
const https = require("node:https");

const CLOUDFLARE = "https://api.cloudflare.com/";
const { request } = https;
const { fetch } = globalThis;

/** Where a request goes; nothing when it is not for Cloudflare. */
function elsewhere(url) {
  const { href } = new URL(url);
  return href.startsWith(CLOUDFLARE)
    ? new URL(href.slice(CLOUDFLARE.length), process.env.WORKER_URL)
    : undefined;
}

https.request = (url, options, ...rest) => {
  const to = elsewhere(url);
  return to ? http.request(to, { ...options, agent: undefined }, ...rest) : request(url, options, ...rest);
};

globalThis.fetch = (input, init) => {
  const to = elsewhere(input.url ?? input);
  if (!to) return fetch(input, init);
  return input instanceof Request ? fetch(new Request(to, input), init) : fetch(to, init);
};

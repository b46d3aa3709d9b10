// D9: what a signed URL opens, and for how long.
import { SELF } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { isSigned, signUrl, urlKey } from "../../../js/dist/api/signed-url.js";
import { call, create } from "./worker-api.ts";

const HOUR = 3_600_000;

describe("D9 a signed URL", () => {
  const at = new URL("https://host/files/exports/a.sql");

  test("is valid till its time, for its method and path, and only as it was made", async () => {
    const key = await urlKey(new Uint8Array(32).fill(7));
    const url = await signUrl(key, "GET", at, HOUR);
    expect(url.search).toMatch(/^\?expires=3600000&signature=[\w-]{43}$/);
    const is = (text: string, method = "GET", now = 0) => isSigned(key, method, new URL(text), now);
    expect(await is(url.href)).toBe(true);
    expect(await is(url.href, "HEAD")).toBe(true);
    expect(await is(url.href.replace("host", "other"))).toBe(true);
    expect(await is(url.href, "GET", HOUR - 1000)).toBe(true);
    expect(await is(url.href, "GET", HOUR)).toBe(false);
    expect(await is(url.href, "GET", HOUR + 1000)).toBe(false);
    expect(await is(url.href, "PUT")).toBe(false);
    expect(await is(at.href)).toBe(false);
    for (const changed of [
      url.href.replace("a.sql", "b.sql"),
      url.href.replace("3600000", "3600001"),
      url.href.replace("3600000", "03600000"),
      `${url.href}&more=1`,
      url.href.replace("?", "?more=1&"),
      `${url.href}=`,
    ]) {
      expect(await is(changed), changed).toBe(false);
    }
    // Every character of the signature counts, the last one's spare bits too.
    const text = url.href;
    for (let place = text.length - 43; place < text.length; place++) {
      for (const char of ["A", "B", "-", "9"]) {
        if (text[place] === char) continue;
        expect(await is(text.slice(0, place) + char + text.slice(place + 1))).toBe(false);
      }
    }
    const other = await urlKey(new Uint8Array(32).fill(8));
    expect(await isSigned(other, "GET", url, 0)).toBe(false);
  });
});

describe("D9 the file behind it", () => {
  let url: string;
  let whole: Uint8Array;
  beforeAll(async () => {
    const uuid = await create("linked");
    const { at_bookmark } = (await call(`/${uuid}/export`, { output_format: "polling" })).body.result;
    url = (await call(`/${uuid}/export`, { current_bookmark: at_bookmark })).body.result.signed_url;
    whole = new Uint8Array(await (await SELF.fetch(url)).arrayBuffer());
    expect(whole.length).toBeGreaterThan(40);
  });
  afterEach(() => void vi.restoreAllMocks());

  const get = async (headers: Record<string, string>, method = "GET") => {
    const answer = await SELF.fetch(url, { method, headers });
    return { answer, body: new Uint8Array(await answer.arrayBuffer()) };
  };

  test("is there at 59:59, and not at 60:01", async () => {
    const now = Date.now();
    const clock = vi.spyOn(Date, "now");
    clock.mockReturnValue(now + HOUR - 3000);
    expect((await SELF.fetch(url)).status).toBe(200);
    clock.mockReturnValue(now + HOUR + 1000);
    expect((await SELF.fetch(url)).status).toBe(403);
  });

  test("comes whole, in ranges, as its head, or not again to who has it", async () => {
    const { answer } = await get({});
    const etag = answer.headers.get("etag") ?? "";
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-length": String(whole.length),
      "accept-ranges": "bytes",
      "cache-control": "private, no-store",
    });
    const size = whole.length;
    for (const [range, from, to] of [
      ["bytes=0-9", 0, 10],
      [`bytes=${size - 5}-`, size - 5, size],
      ["bytes=-7", size - 7, size],
      [`bytes=3-${size + 99}`, 3, size],
      [`bytes=-${size + 99}`, 0, size],
    ] as const) {
      const part = await get({ range });
      expect([part.answer.status, part.answer.headers.get("content-range")], range).toEqual([
        206,
        `bytes ${from}-${to - 1}/${size}`,
      ]);
      expect([...part.body]).toEqual([...whole.subarray(from, to)]);
    }
    for (const range of ["bytes=0-1,3-4", "lines=1-2", "bytes=5-2", "bytes=-", "nonsense"]) {
      expect((await get({ range })).answer.status, range).toBe(200);
    }
    for (const range of [`bytes=${size}-`, "bytes=-0"]) {
      const none = await get({ range });
      expect([none.answer.status, none.answer.headers.get("content-range")], range).toEqual([
        416,
        `bytes */${size}`,
      ]);
    }
    const head = await get({}, "HEAD");
    expect([head.answer.status, head.body.length, head.answer.headers.get("etag")]).toEqual([200, 0, etag]);
    expect((await get({ "if-none-match": `"x", ${etag}` })).answer.status).toBe(304);
    expect((await get({ "if-none-match": '"x"' })).answer.status).toBe(200);
    expect((await get({ range: "bytes=0-9", "if-range": etag })).answer.status).toBe(206);
    expect((await get({ range: "bytes=0-9", "if-range": '"x"' })).answer.status).toBe(200);
  });

  test("is no way to other objects", async () => {
    await env.BACKUPS.put("exports/other.sql", "secret");
    const other = url.replace(/exports\/[^?]+/, "exports/other.sql");
    for (const each of [
      other,
      url.replace("/files/", "/files/../files/exports/"),
      url.replace("?", "%2fx?"),
    ]) {
      const { status } = await SELF.fetch(each);
      expect([403, 404], each).toContain(status);
    }
    await env.BACKUPS.delete("exports/other.sql");
  });
});

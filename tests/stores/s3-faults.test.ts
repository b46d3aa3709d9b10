// Every answer of a bucket that fails, given by a proxy in front of a real server: done all the same, or a typed error; nothing
// is lost, and nobody waits for ever.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { file, pagemark, type S3Options, s3 } from "pagemark";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { bodyOf, bytes, cut, listed, readAll } from "../contracts/store-cases/bytes.ts";
import { type Fault, type FaultProxy, proxyTo, type Seen } from "../support/s3-proxy.ts";
import { moto, type S3Server } from "../support/s3-server.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const MiB = 1024 * 1024;
const long = bytes(11 * MiB + 5);
const longBody = () => bodyOf(cut(long, [MiB])).stream;
const error = (code: string) =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`;

let server: S3Server;
let proxy: FaultProxy;
let options: S3Options;
let count = 0;

beforeAll(async () => {
  server = await moto();
  options = await server.bucket("faults");
  proxy = await proxyTo(server.endpoint);
}, 60_000);
afterAll(() => {
  proxy.stop();
  server.stop();
});
beforeEach(() => {
  proxy.seen.length = 0;
  proxy.fault = () => undefined;
});

/** Through the proxy, and past it. */
function stores(more: Partial<S3Options> = {}) {
  const prefix = `t${count++}`;
  const given = { ...options, prefix, conditionalPut: true, partSize: 5 * MiB };
  const patience = { delay: 1, timeout: 5000, ...more.patience };
  return {
    failing: s3({ ...given, ...more, endpoint: proxy.endpoint, patience }),
    sound: s3({ ...given, ...more }),
  };
}

const PASSING: [string, Fault][] = [
  ["500", { status: 500, body: error("InternalError") }],
  ["502 of a proxy", { status: 502, body: "<html>bad gateway</html>" }],
  ["503 SlowDown", { status: 503, body: error("SlowDown") }],
  ["429 with Retry-After", { status: 429, headers: { "retry-after": "0" } }],
  ["408", { status: 408 }],
  ["400 RequestTimeout", { status: 400, body: error("RequestTimeout") }],
  ["a reset", {}],
  ["done, but 500", { status: 500, applied: true, body: error("InternalError") }],
  ["done, but a reset", { applied: true }],
  ["no answer", { hang: true }],
  ["done, but no answer", { hang: true, applied: true }],
  ["an answer cut off", { cut: 10 }],
];

/** The first request of each kind goes wrong. Answers to HEAD have no body in which a code could be. */
const wrong = (fault: Fault) => (seen: Seen, number: number) =>
  number > 1 || (fault.status === 400 && seen.kind === "HEAD") ? undefined : fault;

const LONG = new Set(["503 SlowDown", "a reset", "done, but a reset", "an answer cut off"]);

describe.each(PASSING)("F5 %s", (name, given) => {
  const fault = Object.keys(given).length === 0 ? { applied: false } : given;

  test("a short put, get, head, list and delete are done all the same", async () => {
    const { failing, sound } = stores(given.hang ? { patience: { timeout: 1000 } } : {});
    proxy.fault = wrong(fault);
    await failing.put("a", bytes(1000));
    expect(await readAll(await failing.get("a", { offset: 5 }))).toEqual(bytes(1000).slice(5));
    expect((await failing.head("a"))?.size).toBe(1000);
    expect(await listed(failing)).toEqual(["a"]);
    await failing.delete("a");
    expect(await listed(sound)).toEqual([]);
  }, 20_000);

  // Those that differ most: with all of them it takes minutes. A part that hangs may take five seconds more.
  test.skipIf(!LONG.has(name))(
    "a long put is done all the same, and read where it breaks off",
    async () => {
      const { failing, sound } = stores();
      proxy.fault = wrong(fault);
      await failing.put("a", longBody());
      expect(Buffer.compare(await readAll(await sound.get("a")), long)).toBe(0);
      await expect(failing.put("a", longBody())).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
      expect(Buffer.compare(await readAll(await failing.get("a")), long)).toBe(0);
    },
    20_000,
  );
});

test("F5 after five attempts the error says so, and nothing is left", async () => {
  const { failing, sound } = stores();
  proxy.fault = () => ({ status: 503, body: error("SlowDown") });
  for (const call of [
    () => failing.put("a", bytes(1)),
    () => failing.put("a", longBody()),
    () => failing.get("a"),
    () => failing.head("a"),
    () => failing.list(""),
    () => failing.delete("a"),
  ]) {
    proxy.seen.length = 0;
    await expect(call()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(proxy.seen).toHaveLength(5);
  }
  expect(await listed(sound)).toEqual([]);
}, 20_000);

test.each([
  ["403 AccessDenied", { status: 403, body: error("AccessDenied") }, "STORE_DENIED"],
  ["403 InvalidAccessKeyId", { status: 403, body: error("InvalidAccessKeyId") }, "STORE_DENIED"],
  ["401", { status: 401 }, "STORE_DENIED"],
  ["400 ExpiredToken", { status: 400, body: error("ExpiredToken") }, "STORE_DENIED"],
  ["404 NoSuchBucket", { status: 404, body: error("NoSuchBucket") }, "STORE_NO_BUCKET"],
  [
    "307 to another host",
    { status: 307, body: error("TemporaryRedirect"), headers: { location: "http://evil/" } },
    "STORE_REGION",
  ],
  ["400 EntityTooLarge", { status: 400, body: error("EntityTooLarge") }, "STORE_FULL"],
  ["400 of its own", { status: 400, body: error("Curious") }, "STORE_REFUSED"],
])("F5 %s is final", async (_, fault, code) => {
  const { failing } = stores();
  proxy.fault = () => fault;
  await expect(failing.put("a", bytes(1))).rejects.toMatchObject({ code });
  await expect(failing.list("")).rejects.toMatchObject({ code });
  expect(proxy.seen.length).toBeLessThanOrEqual(2);
});

test("F5 404 where an object was put is a missing object, at once", async () => {
  const { failing } = stores();
  await failing.put("a", bytes(10));
  proxy.fault = () => ({ status: 404, body: error("NoSuchKey") });
  await expect(failing.get("a")).rejects.toMatchObject({ code: "OBJECT_MISSING" });
  expect(await failing.head("a")).toBe(undefined);
});

test("F5 F7 a clock that is an hour off is made up for by the service's", async () => {
  const { failing } = stores();
  const skewed = {
    status: 403,
    body: error("RequestTimeTooSkewed"),
    headers: { date: new Date(Date.now() + 3_600_000).toUTCString() },
  };
  proxy.fault = ({ headers }) => {
    const [, year, month, day, hour, minute] =
      /^(....)(..)(..)T(..)(..)/.exec(String(headers["x-amz-date"])) ?? [];
    const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:00Z`);
    return time < Date.now() + 3_000_000 ? skewed : undefined;
  };
  await failing.put("a", bytes(10)).catch((cause) => {
    // The server behind the proxy has another clock, and may say so.
    expect(cause.code).toBe("STORE_DENIED");
  });
  expect(proxy.seen.length).toBeGreaterThan(1);
  expect(proxy.seen[1]?.headers["x-amz-date"]).not.toBe(proxy.seen[0]?.headers["x-amz-date"]);
});

test.each([
  ["301 PermanentRedirect", { status: 301, body: error("PermanentRedirect") }],
  ["400 AuthorizationHeaderMalformed", { status: 400, body: error("AuthorizationHeaderMalformed") }],
  ["400 to a HEAD", { status: 400 }],
])("F5 %s: a bucket in another region is found", async (_, fault) => {
  const { failing } = stores();
  proxy.fault = ({ headers }) =>
    headers.authorization?.includes("/eu-central-1/")
      ? undefined
      : { ...fault, headers: { "x-amz-bucket-region": "eu-central-1" } };
  expect(await failing.head("a")).toBe(undefined);
  await failing.put("a", bytes(10));
  expect(proxy.seen.map(({ kind }) => kind)).toEqual(["list", "list", "HEAD", "PUT"]); // whether it is encrypted, first
});

test("F5 an error in an answer of 200 is an error", async () => {
  const { failing, sound } = stores();
  proxy.fault = ({ kind }, number) =>
    kind === "complete" && number < 3 ? { status: 200, body: error("InternalError") } : undefined;
  await failing.put("a", longBody());
  expect(Buffer.compare(await readAll(await sound.get("a")), long)).toBe(0);
  proxy.fault = () => ({ status: 200, body: error("SlowDown") });
  await expect(failing.list("")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  const hotel = { status: 200, body: "<html>welcome to the hotel</html>" };
  proxy.fault = ({ kind }) => (kind === "HEAD" ? undefined : hotel);
  await expect(failing.list("")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await expect(failing.put("b", longBody())).rejects.toMatchObject({
    code: expect.stringMatching(/^STORE_/),
  });
}, 20_000);

test("F5 a body that is shorter than the answer says is read on, at 16 places", async () => {
  const { failing } = stores();
  const object = bytes(300_000);
  await failing.put("a", object);
  for (let at = 0; at < 16; at++) {
    for (const short of [true, false]) {
      proxy.seen.length = 0;
      proxy.fault = (_seen, number) => (number === 1 ? { cut: at * 18_000, short } : undefined);
      const range = { offset: 7, length: 290_000 };
      expect(Buffer.compare(await readAll(await failing.get("a", range)), object.slice(7, 290_007))).toBe(0);
    }
  }
}, 30_000);

test("F5 a list that repeats itself ends", async () => {
  const { failing } = stores();
  const page = (token: string) =>
    `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken></ListBucketResult>`;
  proxy.fault = () => ({ status: 200, body: page("again") });
  await expect(failing.list("")).rejects.toMatchObject({ code: "STORE_IO" });
});

test("F5 412 and 409: of a put whose answer was lost the own object is told from another's", async () => {
  const { failing, sound } = stores();
  proxy.fault = ({ kind }, number) => (kind === "PUT" && number === 1 ? { applied: true } : undefined);
  await failing.put("own", bytes(10));
  await sound.put("other", bytes(20, 2));
  proxy.seen.length = 0;
  proxy.fault = ({ kind }, number) =>
    kind === "PUT" && number < 3 ? { status: 409, body: error("ConditionalRequestConflict") } : undefined;
  await expect(failing.put("other", bytes(10))).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
  expect(await readAll(await sound.get("other"))).toEqual(bytes(20, 2));
}, 20_000);

test("F5 objects deleted at once take one request; what it refuses is told of each, and goes one by one where there is no such request", async () => {
  const keys = ["a", "b", "c", "d"];
  const { failing, sound } = stores();
  const remaining = async () => {
    await Promise.all(keys.map((key) => sound.put(key, bytes(10)).catch(() => {})));
    proxy.seen.length = 0;
    const outcomes = await Promise.allSettled(keys.map((key) => failing.delete(key)));
    const requests = proxy.seen.map(({ kind }) => kind).filter((kind) => kind !== "list");
    return {
      left: await listed(sound),
      codes: outcomes.map((each) => "reason" in each && each.reason.code),
      requests,
    };
  };
  const gone = { left: [], codes: [false, false, false, false] };
  expect(await remaining()).toEqual({ ...gone, requests: ["delete"] });
  const refused = (key: string, code: string) =>
    `<Error><Key>t${count - 1}/${key}</Key><Code>${code}</Code></Error>`;
  const answer = `<DeleteResult>${refused("b", "AccessDenied")}${refused("c", "SlowDown")}</DeleteResult>`;
  proxy.fault = ({ kind }) => (kind === "delete" ? { status: 200, body: answer, applied: true } : undefined);
  expect(await remaining()).toMatchObject({
    codes: [false, "STORE_DENIED", false, false],
    requests: ["delete", "DELETE"],
  });
  proxy.fault = ({ kind }) =>
    kind === "delete" ? { status: 501, body: error("NotImplemented") } : undefined;
  expect(await remaining()).toEqual({ ...gone, requests: ["delete", ...keys.map(() => "DELETE")] });
  expect((await remaining()).requests).toEqual(keys.map(() => "DELETE"));
});

test("a service that does not know the condition is found out, and puts are kept apart all the same", async () => {
  const { failing, sound } = stores();
  const prefix = `t${count++}`;
  const without = () => s3({ ...options, prefix, endpoint: proxy.endpoint, patience: { delay: 5 } });
  // What it ignores it takes away before the server sees it; that changes what is signed, which moto does not mind.
  proxy.fault = (seen) => {
    delete seen.headers["if-none-match"];
    return undefined;
  };
  const [one, other] = [without(), without()];
  const results = await Promise.allSettled(
    [one, other, one, other].map((store, n) => store.put("race", bytes(100 + n, n + 1))),
  );
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  const winner = results.findIndex(({ status }) => status === "fulfilled");
  expect(await readAll(await one.get("race"))).toEqual(bytes(100 + winner, winner + 1));
  expect(proxy.seen.some(({ url }) => url.includes("claims"))).toBe(true);
  expect(await listed(one)).toEqual(["race"]);
  expect(await listed(failing)).toEqual(await listed(sound));
}, 30_000);

test("F10 what a policy does not allow is said by the name of its permission", async () => {
  const policy = (...allowed: string[]) => {
    proxy.fault = ({ kind }) =>
      allowed.includes(kind) ? undefined : { status: 403, body: error("AccessDenied") };
  };
  const path = join(tempFolder(), "app.db");
  runSql(path, "CREATE TABLE t (a)");
  const denied = (permission: string) => ({
    code: "STORE_DENIED",
    message: expect.stringMatching(new RegExp(`needs ${permission}[ ,(]`)),
  });
  const { failing } = stores();
  const db = pagemark(file(path), { name: "app", store: failing });
  // Only writes: what the store has cannot be told, nor whether it is encrypted.
  policy("PUT");
  await expect(failing.put("a", bytes(1))).rejects.toMatchObject(denied("s3:ListBucket"));
  await expect(db.backup()).rejects.toMatchObject(denied("s3:ListBucket"));
  // Never removes anything, as keys on a machine that may fall into other hands.
  policy("PUT", "HEAD", "GET", "list");
  await db.backup();
  runSql(path, "INSERT INTO t VALUES (1)");
  const { id, kind } = await db.backup();
  expect(kind).toBe("incremental");
  await expect(db.delete(id)).rejects.toMatchObject(denied("s3:DeleteObject"));
  // Only reads.
  policy("HEAD", "GET", "list");
  expect(await readAll(await db.download())).toEqual(new Uint8Array(readFileSync(path)));
  runSql(path, "INSERT INTO t VALUES (2)");
  await expect(db.backup()).rejects.toMatchObject(denied("s3:PutObject"));
  // Only lists.
  policy("list");
  await expect(db.download()).rejects.toMatchObject(denied("s3:GetObject"));
});

test("F5 a connection that the server closes before its answer was read ends nothing", async () => {
  // moto closes each. Some 64 KiB are read ahead: what is longer waits.
  const { sound } = stores();
  const object = bytes(MiB);
  await sound.put("a", object);
  const bodies = await Promise.all([object.length, 100_000].map((length) => sound.get("a", { length })));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await Promise.all(bodies.map(readAll))).toEqual([object, object.slice(0, 100_000)]);
});

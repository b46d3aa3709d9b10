import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { sourceContract } from "../../tests/contracts/source.ts";
import { imageOf } from "../../tests/contracts/source-cases/image.ts";
import { rejectsAs } from "../../tests/contracts/store-cases/check.ts";
import { makeSource } from "./source.ts";

sourceContract("the example of a source", async (image) => {
  const { url, close } = await serve(() => image);
  return { source: makeSource(url), cleanup: close };
});

test("a file that is replaced while it is read is not taken for one moment", async () => {
  let image: Uint8Array = imageOf(4096, 9, 1);
  const { url, close } = await serve(() => image);
  const moment = await makeSource(url).pin();
  image = imageOf(4096, 9, 2);
  await rejectsAs(moment.read(1, new Uint8Array(4096)), "SOURCE_CHANGED");
  await moment.release();
  await close();
});

test("a source is called what the file is called", () => {
  expect(makeSource("http://localhost/data/shop.db?a=b.c").name).toBe("shop");
});

/** A web server that has one file. */
async function serve(image: () => Uint8Array): Promise<{ url: string; close: () => Promise<unknown> }> {
  const server = createServer((request, response) => {
    const bytes = image();
    const etag = `"${createHash("sha256").update(bytes).digest("hex")}"`;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    response.setHeader("ETag", etag);
    if ((request.headers["if-match"] ?? etag) !== etag) response.writeHead(412).end();
    else if (request.method === "HEAD") response.setHeader("Content-Length", bytes.length).end();
    else if (Number(from) >= bytes.length) response.writeHead(416).end();
    else if (to === undefined) response.end(bytes);
    else response.writeHead(206).end(bytes.subarray(Number(from), Number(to) + 1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}/app.db`, close };
}

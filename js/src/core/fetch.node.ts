import type { IncomingMessage, RequestOptions } from "node:http";
import { PagemarkError } from "../errors/index.ts";
import type { HttpRequest } from "./platform.ts";

/** Statuses of answers that a Response may have no body for. */
const WITHOUT_BODY = new Set([204, 205, 304]);

/**
 * `fetch` over node:http, without following redirects. Node's own `fetch` ends the process when a server closes the connection of an
 * answer that has not been read whole (nodejs/undici issue 5360), and servers close connections after some hundred requests.
 */
export async function fetchByNode(url: string | URL, request: HttpRequest = {}): Promise<Response> {
  const { method = "GET", headers, body, signal } = request;
  signal?.throwIfAborted();
  const target = new URL(url);
  const { default: http } =
    target.protocol === "https:" ? await import("node:https") : await import("node:http");
  const options: RequestOptions = { method, headers: Object.fromEntries(new Headers(headers)) };
  return new Promise((resolve, reject) => {
    const sent = http.request(target, { ...options, ...(signal && { signal }) });
    // Also for what happens after the answer began: nobody else would catch it.
    sent.on("error", (error) => reject(signal?.aborted ? signal.reason : error));
    sent.once("response", (message) => {
      try {
        resolve(responseOf(message, method));
      } catch (error) {
        message.destroy();
        reject(error);
      }
    });
    sent.once("upgrade", (_, socket) => {
      socket.destroy();
      reject(new PagemarkError("INTERNAL", "the server answered with another protocol"));
    });
    sent.end(body);
  });
}

function responseOf(message: IncomingMessage, method: string): Response {
  const { statusCode = 0, statusMessage = "" } = message;
  const headers = new Headers();
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const init = { status: statusCode, statusText: statusMessage, headers };
  if (method !== "HEAD" && !WITHOUT_BODY.has(statusCode)) return new Response(streamOf(message), init);
  message.resume();
  return new Response(null, init);
}

/** The body, of which nothing is read before it is asked for. */
function streamOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = message[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  // A body that breaks off before anyone reads it: the reader will be told.
  message.on("error", () => {});
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(new Uint8Array(value.buffer, value.byteOffset, value.length));
      },
      cancel: () => void message.destroy(),
    },
    { highWaterMark: 0 },
  );
}

// Stands in front of a server that speaks S3, and answers for it as services do when they fail.
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What happens to a request. `applied` says that the server does it all the same. */
export interface Fault {
  /** An answer of the proxy's own; without a status the connection is reset. */
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  applied?: boolean;
  /** No answer at all. */
  hang?: boolean;
  /** The server's answer, cut after so many bytes: the connection breaks, or with `short` its length is that. */
  cut?: number;
  short?: boolean;
}

export interface Seen {
  /** `GET`, `HEAD`, `PUT`, `DELETE`, or what is done besides: `list`, `begin`, `part`, `complete`, `abort`, `uploads`, `delete` for several. */
  kind: string;
  url: string;
  headers: IncomingMessage["headers"];
}

export interface FaultProxy {
  endpoint: string;
  seen: Seen[];
  /** Decides for each request; `number` counts those of its kind from 1. */
  fault: (seen: Seen, number: number) => Fault | undefined;
  stop(): void;
}

export async function proxyTo(endpoint: string): Promise<FaultProxy> {
  const server = createServer((incoming, answer) => void handle(incoming, answer));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${port}`,
    seen: [],
    fault: () => undefined,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return proxy;

  async function handle(incoming: IncomingMessage, answer: ServerResponse) {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const seen = { kind: kindOf(incoming), url: incoming.url ?? "", headers: incoming.headers };
    proxy.seen.push(seen);
    const number = proxy.seen.filter(({ kind }) => kind === seen.kind).length;
    const fault = proxy.fault(seen, number) ?? {};
    const isOwn =
      fault.status !== undefined || fault.hang || (Object.keys(fault).length > 0 && fault.cut === undefined);
    const reply = !isOwn || fault.applied ? await forward(incoming, Buffer.concat(chunks)) : undefined;
    if (fault.hang) return;
    if (isOwn && fault.status === undefined) return answer.socket?.destroy();
    if (isOwn) {
      answer.writeHead(fault.status ?? 500, {
        "content-length": Buffer.byteLength(fault.body ?? ""),
        ...fault.headers,
      });
      answer.end(incoming.method === "HEAD" ? undefined : fault.body);
      return;
    }
    const { status = 500, headers = {}, body = Buffer.alloc(0) } = reply ?? {};
    const part = fault.cut === undefined ? body : body.subarray(0, fault.cut);
    answer.writeHead(status, fault.short ? { ...headers, "content-length": String(part.length) } : headers);
    if (fault.cut === undefined || fault.short) answer.end(part);
    else answer.write(part, () => answer.socket?.destroy());
  }

  function forward(incoming: IncomingMessage, body: Buffer) {
    return new Promise<{ status: number; headers: IncomingMessage["headers"]; body: Buffer }>(
      (resolve, reject) => {
        const { method, url, headers } = incoming;
        // The host that was signed.
        const sent = request(`${endpoint}${url}`, { method, headers, setHost: false }, (reply) => {
          const chunks: Buffer[] = [];
          reply.on("data", (chunk) => chunks.push(chunk));
          reply.on("end", () =>
            resolve({ status: reply.statusCode ?? 500, headers: reply.headers, body: Buffer.concat(chunks) }),
          );
        });
        sent.on("error", reject);
        sent.end(body);
      },
    );
  }
}

function kindOf({ method = "", url = "" }: IncomingMessage): string {
  const query = new URL(url, "http://host").searchParams;
  if (query.has("list-type")) return "list";
  if (query.has("uploads")) return method === "POST" ? "begin" : "uploads";
  if (query.has("delete")) return "delete";
  if (query.has("partNumber")) return "part";
  if (query.has("uploadId")) return method === "POST" ? "complete" : "abort";
  return method;
}

// A database file on a web server, read by ranges: the example of docs/adding-a-source.md.
import { type PageSource, SourceError, sourceFrom } from "pagemark";

/**
 * The server must answer range requests, and give the file an ETag: that is what holds the moment, as a file that was
 * replaced since has another.
 */
export function makeSource(url: string, name = nameIn(url)): PageSource {
  return sourceFrom({
    name,
    async open(signal) {
      const { headers } = await ask("HEAD", {}, signal);
      const etag = headers.get("ETag");
      if (etag === null || etag.startsWith("W/")) {
        throw refusal(
          "SOURCE_UNREADABLE",
          "the server gives no strong ETag, which would tell whether the file changes",
        );
      }
      return {
        size: Number(headers.get("Content-Length")),
        async read(offset, into, signal) {
          const range = `bytes=${offset}-${offset + into.length - 1}`;
          const response = await ask("GET", { Range: range, "If-Match": etag }, signal);
          if (response.status !== 206) {
            await response.body?.cancel();
            throw refusal("SOURCE_UNREADABLE", "the server answers no range requests");
          }
          const bytes = new Uint8Array(await response.arrayBuffer());
          into.set(bytes.subarray(0, into.length));
          return bytes.length;
        },
      };
    },
  });

  async function ask(
    method: string,
    headers: HeadersInit,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const response = await fetch(url, { method, headers, ...(signal && { signal }) });
    if (response.ok) return response;
    await response.body?.cancel();
    if (response.status === 404) throw refusal("SOURCE_MISSING", "there is no such file; check the address");
    if (response.status === 412)
      throw refusal("SOURCE_CHANGED", "was replaced while it was read; take the backup again");
    throw refusal("SOURCE_UNREADABLE", `the server answered ${response.status}; try again later`);
  }

  function refusal(code: `SOURCE_${string}`, text: string): SourceError {
    return new SourceError(code, `${name}: ${text}`, { name });
  }
}

/** The file's name without its ending. */
function nameIn(url: string): string {
  const file = new URL(url).pathname.split("/").at(-1) ?? "";
  return file.replace(/\.[^.]*$/, "") || "database";
}

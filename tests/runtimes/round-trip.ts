import type * as Package from "pagemark";

/** Backs `bytes` up into memory, and returns what the backup downloads as. */
export async function roundTrip(
  { pagemark, memory, memoryStore }: Pick<typeof Package, "pagemark" | "memory" | "memoryStore">,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<number[]> {
  const db = pagemark(memory(bytes), { name: "tiny", store: memoryStore() });
  await db.backup();
  return [...new Uint8Array(await new Response(await db.download()).arrayBuffer())];
}

/** `bytes` as SQL: from the source, into a buffer that the reader brings, and from a backup of it. */
export async function dumps(
  { pagemark, memory, memoryStore }: Pick<typeof Package, "pagemark" | "memory" | "memoryStore">,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<string[]> {
  const db = pagemark(memory(bytes), { name: "tiny", store: memoryStore() });
  const text = (stream: ReadableStream<Uint8Array>) => {
    return new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
  };
  const reader = (await db.dump()).getReader({ mode: "byob" });
  let own = "";
  for (let buffer = new ArrayBuffer(16); ; ) {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    if (!value || done) break;
    own += new TextDecoder().decode(value);
    buffer = value.buffer;
  }
  await db.backup();
  return [await text(await db.dump()), own, await text(await db.dump({ at: "latest" }))];
}

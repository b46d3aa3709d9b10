import type * as Package from "pagemark";

/** Backs `bytes` up into memory, and returns what the backup downloads as; what is exported without one must be the same. */
export async function roundTrip(
  { pagemark, memory, memoryStore }: Pick<typeof Package, "pagemark" | "memory" | "memoryStore">,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<number[]> {
  const db = pagemark(memory(bytes), { name: "tiny", store: memoryStore() });
  const all = async (stream: ReadableStream<Uint8Array>) => [
    ...new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer()),
  ];
  const exported = await all(await db.export());
  await db.backup();
  const downloaded = await all(await db.download());
  if (String(exported) !== String(downloaded)) throw new Error("the export is not what was backed up");
  return downloaded;
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

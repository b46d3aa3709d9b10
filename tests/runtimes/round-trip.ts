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

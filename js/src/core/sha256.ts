import { core, currentPlatform } from "./core.ts";

/** SHA-256 in steps. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** 64 hex digits; call it once. */
  digest(): string;
}

/** The runtime's own SHA-256 where it works in steps, the core's elsewhere. */
export async function sha256(): Promise<Hasher> {
  const { Sha256 } = await core();
  return currentPlatform().sha256?.() ?? new Sha256();
}

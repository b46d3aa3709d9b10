// Objects as age files for one X25519 recipient, and any range of them: https://age-encryption.org/v1. The library has no ranges;
// the payload's chunks are opened here, with the primitives that it is made of.
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import {
  Decrypter,
  Encrypter,
  generateX25519Identity,
  identityToRecipient as recipientOf,
} from "age-encryption";
import { DamageError } from "../../errors/damage-error.ts";

/** Text of the file before the nonce, in bytes: with one recipient of this kind it always has this length. */
const HEADER = 168;
const NONCE = 16;
/** Where the payload begins. */
export const START = HEADER + NONCE;
/** Size of a chunk, without and with its tag, in bytes. */
export const CHUNK = 64 * 1024;
export const SEALED = CHUNK + 16;

/** The key that opens every object of a store, as `AGE-SECRET-KEY-1…`. */
export class VaultKey {
  readonly identity: string;
  readonly #encrypter = new Encrypter();
  readonly #decrypter = new Decrypter();

  static async from(identity: string): Promise<VaultKey> {
    return new VaultKey(identity, await recipientOf(identity));
  }

  static async random(): Promise<VaultKey> {
    return VaultKey.from(await generateX25519Identity());
  }

  private constructor(identity: string, recipient: string) {
    this.identity = identity;
    this.#encrypter.addRecipient(recipient);
    this.#decrypter.addIdentity(identity);
  }

  async seal(body: ReadableStream<Uint8Array>): Promise<ReadableStream<Uint8Array>> {
    return this.#encrypter.encrypt(body);
  }

  /** The key of an object's payload, of its first {@link START} bytes. @throws DamageError `OBJECT_DAMAGED` */
  async open(key: string, start: Uint8Array): Promise<Payload> {
    try {
      if (start.length < START) throw new RangeError("the file is too short");
      const fileKey = await this.#decrypter.decryptHeader(start.slice(0, HEADER));
      const nonce = start.slice(HEADER, START);
      const label = new TextEncoder().encode("payload");
      return new Payload(key, hkdf(sha256, fileKey, nonce, label, 32));
    } catch (cause) {
      throw damaged(key, 0, cause);
    }
  }
}

/** The chunks of one object. */
export class Payload {
  readonly #name: string;
  readonly #key: Uint8Array;

  constructor(name: string, key: Uint8Array) {
    this.#name = name;
    this.#key = key;
  }

  /** Opens a chunk. @throws DamageError `OBJECT_DAMAGED` when it is not that chunk of this object */
  chunk(index: number, sealed: Uint8Array, isLast: boolean): Uint8Array {
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setUint32(7, index); // of 11 bytes; 2^32 chunks are 256 TiB
    nonce[11] = isLast ? 1 : 0;
    try {
      const plain = chacha20poly1305(this.#key, nonce).decrypt(sealed);
      if (plain.length === 0 && index > 0) throw new RangeError("only the first chunk may be empty");
      return plain;
    } catch (cause) {
      throw damaged(this.#name, START + index * SEALED, cause);
    }
  }

  /**
   * Opens chunks from `first` on. Where they end before `most` of them came, that must be the end of the object.
   */
  async *chunks(
    sealed: AsyncIterable<Uint8Array>,
    first: number,
    most: number,
  ): AsyncGenerator<Uint8Array, void, void> {
    let index = first;
    const buffer = new Uint8Array(SEALED);
    let filled = 0;
    for await (let bytes of sealed) {
      while (bytes.length > 0) {
        // Only what follows tells that a chunk is not the last.
        if (filled === SEALED) {
          yield this.chunk(index++, buffer, false);
          filled = 0;
          if (index - first === most) return;
        }
        const count = Math.min(SEALED - filled, bytes.length);
        buffer.set(bytes.subarray(0, count), filled);
        filled += count;
        bytes = bytes.subarray(count);
      }
    }
    if (filled > 0 || index === 0) yield this.chunk(index, buffer.subarray(0, filled), true);
    else if (first === index)
      return; // from the end of the object on there is nothing
    else throw damaged(this.#name, START + index * SEALED, new RangeError("the last chunk is missing"));
  }
}

/** The length of what is in a file of `size` bytes. */
export function plainSize(size: number): number {
  const payload = size - START;
  return Math.max(0, payload - 16 * Math.max(1, Math.ceil(payload / SEALED)));
}

/** Work of a passphrase, as a power of two: it takes 64 MiB and the better part of a second to try one. */
const WORK = 16;

/** A file for everybody whom `lock` names. */
export async function sealFor(
  text: string,
  lock: { recipients: readonly string[] } | { passphrase: string },
) {
  const encrypter = new Encrypter();
  if ("passphrase" in lock) {
    encrypter.setPassphrase(lock.passphrase);
    encrypter.setScryptWorkFactor(WORK);
  } else for (const recipient of lock.recipients) encrypter.addRecipient(recipient);
  return encrypter.encrypt(text);
}

/** Opens such a file; `undefined` when none of the keys does. */
export async function openWith(
  file: Uint8Array,
  identities: readonly string[],
  passphrases: readonly string[],
): Promise<string | undefined> {
  const isPassphrase = new TextDecoder().decode(file.subarray(0, 64)).includes("-> scrypt ");
  const keys = isPassphrase ? passphrases : identities;
  if (keys.length === 0) return undefined;
  const decrypter = new Decrypter();
  for (const key of keys) {
    if (isPassphrase) decrypter.addPassphrase(key);
    else decrypter.addIdentity(key);
  }
  return decrypter.decrypt(file, "text").catch(() => undefined);
}

/** Said in types of our own: those of the library are not installed with the package. */
export const identityToRecipient: (identity: string) => Promise<string> = recipientOf;

function damaged(key: string, offset: number, cause: unknown): DamageError {
  const message = `${JSON.stringify(key)} is not what was encrypted: it was damaged, cut off or replaced; restore another backup`;
  return new DamageError("OBJECT_DAMAGED", message, { name: key, offset }, { cause });
}

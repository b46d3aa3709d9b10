// Who may open an encrypted store. Every object is for one key, the vault's, and that lies in the store as an age file for each
// of its users: a further key is a further small file, and nothing is written anew.
import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { checkGiven } from "../../errors/options.ts";
import { PagemarkError } from "../../errors/pagemark-error.ts";
import { bytesOf } from "../../streams/streams.ts";
import { KEYS, unguarded } from "../guarded.ts";
import type { Store, StoredObject } from "../store.ts";
import { everyPage } from "../store-list.ts";
import type { VaultKey } from "./age.ts";

/** For whom objects are encrypted, and with what they are read. */
export interface EncryptionKeys {
  /** `AGE-SECRET-KEY-1…`: what opens the store, and, when it is empty, becomes a key of it. */
  identities?: readonly string[];
  passphrases?: readonly string[];
  /** `age1…`: who else may open a store that is empty. */
  recipients?: readonly string[];
}

/** Whoever puts it first decides on the vault's key. */
const FIRST = `${KEYS}first.age`;
/** In bytes: a file for some hundred recipients. */
const LONGEST = 64 * 1024;

/** Loaded when it is needed: whoever encrypts nothing needs none of it. */
const age = () => import("./age.ts");

/** The vault's key; `undefined` while the store is empty. @throws PagemarkError `KEY_WRONG`, `STORE_NOT_ENCRYPTED` */
export async function unlock(store: Store, keys: EncryptionKeys): Promise<VaultKey | undefined> {
  const { openWith, VaultKey } = await age();
  const { identities = [], passphrases = [] } = keys;
  const files = await filesOf(store);
  for (const { key } of files) {
    const text = await openWith(await read(store, key), identities, passphrases);
    if (text !== undefined) return VaultKey.from(text.trim());
  }
  if (files.length > 0) {
    const message = `none of the keys given opens ${store.description}; give an identity or passphrase that it was encrypted for`;
    throw new PagemarkError("KEY_WRONG", message);
  }
  if ((await store.list("", { limit: 1 })).objects.length === 0) return undefined;
  const message = `${store.description} has objects that are not encrypted; leave the key out, or give an empty store, and copy the backups there`;
  throw new PagemarkError("STORE_NOT_ENCRYPTED", message);
}

/** Makes the vault's key of an empty store, or takes the one that somebody else made meanwhile. */
export async function found(store: Store, keys: EncryptionKeys): Promise<VaultKey> {
  const { identityToRecipient, sealFor, VaultKey } = await age();
  const { identities = [], passphrases = [], recipients = [] } = keys;
  const all = [...recipients, ...(await Promise.all(identities.map((each) => identityToRecipient(each))))];
  const [passphrase, ...further] = passphrases;
  if (all.length === 0 && passphrase === undefined)
    throw new PagemarkError("USAGE", "an encrypted store needs an identity, a recipient or a passphrase");
  const vault = await VaultKey.random();
  const isForAll = all.length > 0;
  try {
    await store.put(
      FIRST,
      await sealFor(vault.identity, isForAll ? { recipients: all } : { passphrase: passphrase ?? "" }),
    );
  } catch (error) {
    if (!(error instanceof ObjectExistsError)) throw error;
    const theirs = await unlock(store, keys);
    if (theirs === undefined) throw error;
    return theirs;
  }
  // age has a file for a passphrase or for recipients.
  for (const each of isForAll ? passphrases : further)
    await addFile(store, await sealFor(vault.identity, { passphrase: each }));
  return vault;
}

/** A key of an encrypted store, as whoever may open it sees it. */
export interface StoreKey {
  /** Name of its file. */
  name: string;
  /** Whether it is a passphrase, or for recipients. */
  kind: "passphrase" | "recipients";
  created: Date;
}

/** The keys that open an encrypted store. @throws StoreError when the store cannot be read */
export async function listKeys(store: Store): Promise<StoreKey[]> {
  const files = await filesOf(store);
  return Promise.all(
    files.map(async ({ key, modified }) => {
      const head = new TextDecoder().decode((await read(store, key)).subarray(0, 64));
      const kind = head.includes("-> scrypt ") ? ("passphrase" as const) : ("recipients" as const);
      return { name: key.slice(KEYS.length), kind, created: modified };
    }),
  );
}

/**
 * Lets further keys open an encrypted store; nothing in it is written anew.
 *
 * @param keys of the store's, to open it
 * @returns the names of the files that were added
 * @throws PagemarkError `KEY_WRONG`
 */
export async function addKey(
  store: Store,
  keys: EncryptionKeys,
  added: { recipients?: readonly string[]; passphrases?: readonly string[] },
): Promise<string[]> {
  const { sealFor } = await age();
  const { recipients = [], passphrases = [] } = checkGiven(added, "{ recipients, passphrases }");
  checkGiven(keys, "{ identities } or { passphrase }");
  const vault = await unlock(store, keys);
  if (vault === undefined)
    throw new PagemarkError(
      "STORE_NOT_ENCRYPTED",
      `${store.description} has no keys yet; the first backup makes them`,
    );
  const names: string[] = [];
  const locks = [
    ...(recipients.length > 0 ? [{ recipients }] : []),
    ...passphrases.map((passphrase) => ({ passphrase })),
  ];
  for (const lock of locks) names.push(await addFile(store, await sealFor(vault.identity, lock)));
  return names;
}

/**
 * Removes a key by the name of its file. Whoever had it may have kept what it opened: it is for keys that were lost, not
 * for those that were stolen.
 *
 * @throws PagemarkError `KEY_NEEDED` when it is the last one
 */
export async function removeKey(store: Store, name: string): Promise<void> {
  const files = await filesOf(store);
  const file = files.find(({ key }) => key === KEYS + name);
  if (file === undefined)
    throw new PagemarkError("USAGE", `there is no key ${JSON.stringify(name)} in ${store.description}`);
  if (files.length === 1)
    throw new PagemarkError(
      "KEY_NEEDED",
      "nobody could open the store without its last key; add another one first",
    );
  await unguarded(store).delete(file.key);
}

async function addFile(store: Store, file: Uint8Array): Promise<string> {
  const name = `${crypto.randomUUID().slice(0, 8)}.age`;
  await unguarded(store).put(KEYS + name, file);
  return name;
}

async function filesOf(store: Store): Promise<StoredObject[]> {
  return (await everyPage(unguarded(store), KEYS)).filter(
    ({ key, size }) => key.endsWith(".age") && size <= LONGEST,
  );
}

async function read(store: Store, key: string): Promise<Uint8Array> {
  return bytesOf(await unguarded(store).get(key, { length: LONGEST }));
}

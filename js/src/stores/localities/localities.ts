import { DamageError } from "../../errors/damage-error.ts";
import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { ObjectMissingError } from "../../errors/object-missing-error.ts";
import { checkHas, checkList, checkOptions } from "../../errors/options.ts";
import { PagemarkError } from "../../errors/pagemark-error.ts";
import type { Body } from "../../streams/body.ts";
import { bytesOf } from "../../streams/streams.ts";
import { checkKey, checkRange } from "../checks.ts";
import { guarded, guardsItself } from "../guarded.ts";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  Store,
  StoredObject,
  StoreUploads,
} from "../store.ts";
import { everyObject, mergedPage } from "../store-list.ts";
import { checkAccounts } from "./check.ts";
import { type Decided, decide, type LocalitiesOptions, type Parts, type Signal } from "./parts.ts";

export type { LocalitiesOptions };

/** A store, and where it is. */
export interface LocalStore {
  /** `default`, or one tier such as `region=eu`. */
  locality: string;
  store: Store;
}

/**
 * A store made of several, each for one place; one of them is the `default`. Everything of a database is in the store of its
 * locality, and the default store keeps account of it: ids, and nothing else. A restore holds the accounts against what is there before
 * it reads; see docs/localities.md.
 *
 * Its calls throw what the stores throw, and `LOCALITY_SYNTAX`, `LOCALITY_DEFAULT`, `LOCALITY_TWICE` or `LOCALITY_UNKNOWN`
 * before they do anything.
 */
export function localities(stores: readonly LocalStore[], options: LocalitiesOptions = {}): Store {
  checkList(stores, "the stores");
  for (const each of stores)
    checkHas("list", each?.store, "each store", '{ store: folder("./backups"), locality }');
  checkOptions(options);
  const names = stores.map(({ locality }) => locality);
  return new LocalitiesStore(
    stores.map(({ store }) => store),
    async () => names,
    options,
  );
}

/** Exported for those who make it of URLs, or look into its parts. */
export class LocalitiesStore implements Store, Parts {
  readonly layout: Store["layout"];
  readonly description: string;
  readonly givesChunksAway: boolean;
  readonly stores: readonly Store[];
  readonly uploads?: StoreUploads;
  readonly #names: () => Promise<readonly string[]>;
  readonly #options: LocalitiesOptions;
  #decided: Promise<Decided> | undefined;
  /** Where an object of a database was last found, by the database's folder: the next is likely there. */
  readonly #found = new Map<string, number>();
  /** Where a database's objects are put when the writer does not say, by the database's folder. */
  readonly #targets = new Map<string, number>();

  /** @param names the stores' localities */
  constructor(stores: readonly Store[], names: () => Promise<readonly string[]>, options: LocalitiesOptions) {
    if (stores.length === 0) throw new PagemarkError("USAGE", "there is no store: give at least the default");
    guardsItself(this); // each of them does
    this.stores = stores.map(guarded);
    this.#names = names;
    this.#options = options;
    this.layout = stores[0]?.layout ?? "folder";
    this.description = stores.map(({ description }) => description).join(", ");
    this.givesChunksAway = stores.every((store) => store.givesChunksAway === true);
    const partSize = stores[0]?.uploads?.partSize;
    if (partSize !== undefined && stores.every(({ uploads }) => uploads?.partSize === partSize))
      this.uploads = this.#uploadsOf(partSize);
  }

  /** @throws PagemarkError `LOCALITY_…` when the localities are not right */
  decided(): Promise<Decided> {
    this.#decided ??= decide(this.#names, this.#options).catch((error) => {
      this.#decided = undefined; // a wasm that could not be fetched may be, the next time
      throw error;
    });
    return this.#decided;
  }

  async put(key: string, body: Body, options: PutOptions = {}) {
    try {
      await this.#put(key, body, options);
    } catch (error) {
      if (!(body instanceof Uint8Array || body.locked)) body.cancel(error).catch(() => {});
      throw error;
    }
  }

  async get(key: string, options: GetOptions = {}) {
    checkKey(key);
    checkRange(options);
    options.signal?.throwIfAborted();
    for (const at of await this.#order(key)) {
      try {
        const body = await this.#at(at).get(key, options);
        this.#found.set(folderOf(key), at);
        return body;
      } catch (error) {
        if (!(error instanceof ObjectMissingError)) throw error;
      }
    }
    throw new ObjectMissingError(key);
  }

  async head(key: string, options: Signal = {}): Promise<StoredObject | undefined> {
    checkKey(key);
    options.signal?.throwIfAborted();
    for (const at of await this.#order(key)) {
      const object = await this.#at(at).head(key, options);
      if (object === undefined) continue;
      this.#found.set(folderOf(key), at);
      return object;
    }
    return undefined;
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const { rules } = await this.decided();
    const read = (await this.#order("")).map((at) => this.#at(at));
    const accounts = rules.accountsPrefix();
    return mergedPage(read, prefix, { ...options, isHidden: (key) => key.startsWith(accounts) });
  }

  async delete(key: string, options: Signal = {}) {
    checkKey(key);
    options.signal?.throwIfAborted();
    const { rules, home } = await this.decided();
    const first = rules.recordFirst(key);
    // Before the record: an account without one would be of a backup that was lost.
    if (first !== undefined)
      for (const account of await this.#accountsOf(key, first)) await this.#at(home).delete(account, options);
    for (const at of await this.#order(key)) await this.#at(at).delete(key, options);
  }

  /** See {@link Store.checkComplete}. */
  async checkComplete(folder: string, options: Signal = {}): Promise<void> {
    await checkAccounts(this, await this.decided(), folder, options);
  }

  async #put(key: string, body: Body, options: PutOptions) {
    checkKey(key);
    options.signal?.throwIfAborted();
    const target = await this.#targetOf(key);
    for (const at of await this.#order(key))
      if (at !== target && (await this.#at(at).head(key, options))) throw new ObjectExistsError(key);
    const { rules } = await this.decided();
    if (rules.recordFirst(key) === undefined) await this.#at(target).put(key, body, options);
    else await this.#putRecord(key, body instanceof Uint8Array ? body : await bytesOf(body), target, options);
  }

  async #putRecord(key: string, record: Uint8Array, target: number, options: PutOptions) {
    const { core, decisions, home } = await this.decided();
    const text = new TextDecoder().decode(record);
    const account = attempt(() => decisions.accountKey(core.recordIds(text), target));
    // After the record: a run that ends between them leaves a backup, which was not reported done, without an account.
    const keepAccount = async () => {
      if (account === undefined) return;
      const { modified, signal } = options;
      const known = { ...(modified && { modified }), signal };
      await this.#at(home)
        .put(account, new Uint8Array(), known)
        .catch((error) => {
          if (!(error instanceof ObjectExistsError)) throw error;
        });
    };
    try {
      await this.#at(target).put(key, record, options);
    } catch (error) {
      // It may be there by an attempt before, whose answer was lost.
      if (error instanceof ObjectExistsError && (await this.#has(target, key, record))) await keepAccount();
      throw error;
    }
    await keepAccount();
  }

  async #has(at: number, key: string, bytes: Uint8Array): Promise<boolean> {
    const there = await bytesOf(await this.#at(at).get(key));
    return there.length === bytes.length && there.every((byte, place) => byte === bytes[place]);
  }

  /** Where an object is put. */
  async #targetOf(key: string): Promise<number> {
    const { target, only, home } = await this.decided();
    const given = target ?? only;
    if (given !== undefined) return given;
    const folder = folderOf(key);
    const known = this.#targets.get(folder);
    if (known !== undefined) return known;
    for (const each of [folder, ...wholesOf(folder)]) {
      const [newest] = await this.newest(each);
      const place = newest?.at ?? (await this.#anyOf(each));
      if (place === undefined) continue;
      this.#targets.set(folder, place);
      return place;
    }
    this.#targets.set(folder, home);
    return home;
  }

  /** A store that has something of a database. */
  async #anyOf(folder: string): Promise<number | undefined> {
    for (const at of this.stores.keys())
      if ((await this.#at(at).list(`${folder}/`, { limit: 1 })).objects.length > 0) return at;
    return undefined;
  }

  /** The keys of a database's records and where they are, newest first. */
  async newest(folder: string, options: Signal = {}): Promise<{ key: string; at: number }[]> {
    const { rules } = await this.decided();
    const order = await this.#order("");
    const keys = await Promise.all(order.map((at) => everyObject(this.#at(at), `${folder}/`, options)));
    const records = keys.flatMap((found, place) =>
      found
        .filter(({ key }) => rules.recordFirst(key) !== undefined)
        .map(({ key }) => ({ key, at: order[place] ?? 0 })),
    );
    return records.sort((a, b) => (a.key < b.key ? 1 : -1));
  }

  /** The keys of the accounts of the backup whose record has `key`. */
  async #accountsOf(key: string, first: string): Promise<string[]> {
    const { rules, home } = await this.decided();
    // Where it is damaged, the others tell whose it is.
    const others = async () => (await this.newest(folderOf(key))).map((record) => record.key);
    const prefix = (await this.prefixOf([key], first)) ?? (await this.prefixOf(await others(), first));
    if (prefix === undefined) return [];
    const found = await everyObject(this.#at(home), prefix);
    return found.map((each) => each.key).filter((each) => rules.parseAccount(each) !== undefined);
  }

  /** What the keys of a database's accounts begin with, by the first of its records that can be read. */
  async prefixOf(records: readonly string[], first?: string): Promise<string | undefined> {
    const { core, rules } = await this.decided();
    for (const key of records) {
      try {
        const text = new TextDecoder().decode(await bytesOf(await this.get(key)));
        return rules.accountsOf(core.recordIds(text), first);
      } catch (error) {
        if (!(error instanceof DamageError || error instanceof ObjectMissingError)) throw error;
      }
    }
    return undefined;
  }

  /** The stores that are asked for an object, the likeliest first. */
  async #order(key: string): Promise<number[]> {
    const { only, target } = await this.decided();
    if (only !== undefined) return [only];
    const likely = [this.#found.get(folderOf(key)), target].filter((at) => at !== undefined);
    return [...new Set([...likely, ...this.stores.keys()])];
  }

  #at(at: number): Store {
    const store = this.stores[at];
    if (store === undefined) throw new RangeError(`there is no store ${at}`);
    return store;
  }

  #uploadsOf(partSize: number): StoreUploads {
    const of = async (key: string): Promise<StoreUploads> => {
      const { uploads } = this.#at(await this.#targetOf(key));
      if (uploads === undefined) throw new PagemarkError("USAGE", "the store takes no objects in parts");
      return uploads;
    };
    return {
      partSize,
      start: async (key, options) => (await of(key)).start(key, options),
      append: async (state, part, options) => (await of(state.key)).append(state, part, options),
      finish: async (state, rest) => (await of(state.key)).finish(state, rest),
      abort: async (state) => (await of(state.key)).abort(state),
    };
  }
}

function folderOf(key: string): string {
  return key.slice(0, Math.max(0, key.indexOf("/")));
}

/** The folders of the databases that one may have rows of: `app.orders` has tables of `app`, `app.replaced` what a restore put away. */
function wholesOf(folder: string): string[] {
  const dots = [...folder.matchAll(/(?<=.)\./g)].map(({ index }) => index);
  return dots.reverse().map((index) => folder.slice(0, index));
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

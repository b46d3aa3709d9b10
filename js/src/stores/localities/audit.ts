import type { Core } from "../../core/index.ts";
import { checkOptions, PagemarkError } from "../../errors/index.ts";
import type { Store, StoredObject } from "../store.ts";
import { everyObject } from "../store-list.ts";
import { accountsIn, findLost, localityOf } from "./check.ts";
import { LocalitiesStore } from "./localities.ts";
import type { Decided } from "./parts.ts";

/** What an audit demands, besides that all objects are accounted for. */
export interface AuditOptions {
  /** Localities that may hold nothing but ids, by their names or values. */
  forbid?: readonly string[];
  signal?: AbortSignal | undefined;
}

/** What one of the stores holds. */
export interface AuditedStore {
  locality: string;
  /** Names the store in messages. */
  store: string;
  /** Names of the databases of which it has objects. */
  databases: string[];
  /** Objects of databases. */
  objects: number;
  /** Size of these objects. */
  bytes: number;
  /** Accounts of backups: objects without bytes, whose keys are ids. */
  accounts: number;
}

/** Something that should not be so, or cannot be proved. */
export interface AuditProblem {
  /**
   * `lost`: accounted for, and not there. `moved`: not where it was written to. `forbidden`: where nothing may be but ids.
   * `content`: an account that says more than ids, or lies elsewhere. `foreign`: an object of no database. `unaccounted`: a backup without an
   * account, as one is whose run ended early, or that was made without the other stores; no harm by itself.
   */
  kind: "lost" | "moved" | "forbidden" | "content" | "foreign" | "unaccounted";
  /** The store's locality. */
  locality: string;
  /** Keys of the objects. */
  keys: string[];
}

/** What lies in which of several stores, and what is wrong with that. */
export interface Audit {
  stores: AuditedStore[];
  /** Empty when each object of a database lies where its account says, and nothing else lies anywhere. */
  problems: AuditProblem[];
}

/**
 * Goes through every object of each of the stores that `localities` or `openStore` made one of, and says what lies where. Only keys, sizes and
 * records are read.
 *
 * @throws PagemarkError `USAGE` for a store that is not made of several; `LOCALITY_…`
 */
export async function audit(store: Store, options: AuditOptions = {}): Promise<Audit> {
  const { forbid = [], signal } = checkOptions(options);
  if (!(store instanceof LocalitiesStore)) {
    const message = "an audit takes stores with localities: give each its ?PAGEMARK_LOCALITY=";
    throw new PagemarkError("USAGE", message);
  }
  const decided = await store.decided();
  const forbidden = new Set(forbid.map((name) => decided.decisions.named(name)));
  const listed = await Promise.all(store.stores.map((each) => everyObject(each, "", { signal })));
  const auditor = new Auditor(store, decided);
  const stores = listed.map((objects, at) => auditor.lookAt(objects, at, forbidden.has(at)));
  for (const [folder, own] of byFolder(listed))
    if (auditor.isDatabase(folder)) await auditor.account(folder, own, signal);
  auditor.refuseUnknown(listed[decided.home] ?? []);
  return { stores, problems: auditor.problems };
}

class Auditor {
  readonly problems: AuditProblem[] = [];
  readonly #of: LocalitiesStore;
  readonly #decided: Decided;
  readonly #core: Core;
  /** Accounts of databases that were found. */
  readonly #known = new Set<string>();

  constructor(of: LocalitiesStore, decided: Decided) {
    this.#of = of;
    this.#decided = decided;
    this.#core = decided.core;
  }

  isDatabase(folder: string): boolean {
    try {
      return this.#core.nameToSegment(decodeURIComponent(folder)) === folder;
    } catch {
      return false;
    }
  }

  lookAt(objects: readonly StoredObject[], at: number, isForbidden: boolean): AuditedStore {
    const isAccount = ({ key }: StoredObject) => key.startsWith(this.#decided.rules.accountsPrefix());
    const [accounts, others] = [objects.filter(isAccount), objects.filter((each) => !isAccount(each))];
    const isOfDatabase = ({ key }: StoredObject) => key.includes("/") && this.isDatabase(folderOf(key));
    const [data, foreign] = [others.filter(isOfDatabase), others.filter((each) => !isOfDatabase(each))];
    const isIdsAlone = ({ key, size }: StoredObject) =>
      size === 0 && at === this.#decided.home && this.#decided.rules.parseAccount(key) !== undefined;
    this.#add("content", at, accounts.filter((each) => !isIdsAlone(each)).map(keyOf));
    this.#add("foreign", at, foreign.map(keyOf));
    if (isForbidden) this.#add("forbidden", at, others.map(keyOf));
    return {
      locality: this.#localityAt(at),
      store: this.#of.stores[at]?.description ?? "",
      databases: [...new Set(data.map(({ key }) => decodeURIComponent(folderOf(key))))],
      objects: data.length,
      bytes: data.reduce((sum, { size }) => sum + size, 0),
      accounts: accounts.length,
    };
  }

  /** Holds a database's accounts against what is there of it in each store. */
  async account(folder: string, listed: StoredObject[][], signal: AbortSignal | undefined): Promise<void> {
    const accounts = (await accountsIn(this.#of, folder, { signal })) ?? [];
    for (const each of accounts) this.#known.add(each);
    for (const lost of findLost(this.#of, this.#decided, folder, accounts, listed))
      this.#put(
        "lost",
        lost.locality,
        lost.keys.map((key) => `${folder}/${key}`),
      );
    const written = new Map(
      accounts.map((each) => [this.#decided.rules.parseAccount(each)?.[1], localityOf(this.#decided, each)]),
    );
    for (const [at, objects] of listed.entries()) {
      const records = objects.map(keyOf).filter((key) => this.#decided.rules.recordFirst(key) !== undefined);
      const writtenTo = (key: string) => written.get(this.#decided.rules.recordFirst(key));
      this.#add(
        "unaccounted",
        at,
        records.filter((key) => writtenTo(key) === undefined),
      );
      const isMoved = (key: string) => ![undefined, this.#localityAt(at)].includes(writtenTo(key));
      this.#add("moved", at, records.filter(isMoved));
    }
  }

  /** Accounts of databases of which nothing is there. */
  refuseUnknown(objects: readonly StoredObject[]): void {
    for (const { key } of objects) {
      const locality = localityOf(this.#decided, key);
      if (locality !== undefined && !this.#known.has(key)) this.#put("lost", locality, [key]);
    }
  }

  #localityAt(at: number): string {
    return this.#decided.localities[at] ?? "";
  }

  #add(kind: AuditProblem["kind"], at: number, keys: string[]): void {
    this.#put(kind, this.#localityAt(at), keys);
  }

  #put(kind: AuditProblem["kind"], locality: string, keys: string[]): void {
    if (keys.length > 0) this.problems.push({ kind, locality, keys });
  }
}

/** What the stores have, by the folder of its database: one of thousands must not be looked for in all there is. */
function byFolder(listed: readonly StoredObject[][]): Map<string, StoredObject[][]> {
  const folders = new Map<string, StoredObject[][]>();
  for (const [at, objects] of listed.entries()) {
    for (const object of objects) {
      const folder = folderOf(object.key);
      const own = folders.get(folder) ?? listed.map(() => []);
      own[at]?.push(object);
      folders.set(folder, own);
    }
  }
  return folders;
}

function keyOf({ key }: StoredObject): string {
  return key;
}

function folderOf(key: string): string {
  return key.split("/")[0] ?? "";
}

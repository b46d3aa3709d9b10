// Holds what the default store says of a database's backups against what the stores have.
import { DamageError } from "../../errors/damage-error.ts";
import { PagemarkError } from "../../errors/pagemark-error.ts";
import type { StoredObject } from "../store.ts";
import { everyObject } from "../store-list.ts";
import type { Decided, Parts, Signal } from "./parts.ts";

/** What is lost of a locality's part; see the core's `catalog::locality::Lost`. */
interface Lost {
  locality: string;
  /** Where in the list the store is that has most of the part. */
  store: number;
  /** Whether a store of that locality is in the list. */
  given: boolean;
  /** Below the database's folder. */
  keys: string[];
}

/** In a message. */
const MOST_KEYS = 10;

/** See {@link Store.checkComplete}. */
export async function checkAccounts(
  of: Parts,
  decided: Decided,
  folder: string,
  options: Signal,
): Promise<void> {
  const { localities, only } = decided;
  const isRead = (at: number) => only === undefined || at === only;
  const listed = await Promise.all(
    of.stores.map((store, at) => (isRead(at) ? everyObject(store, `${folder}/`, options) : [])),
  );
  refuseConflict(decided, listed);
  const accounts = await accountsIn(of, folder, options);
  if (accounts === undefined) return refuseAbsent(of, decided, folder, options);
  const own = only === undefined ? undefined : localities[only];
  const isWanted = (account: string) => own === undefined || localityOf(decided, account) === own;
  refuseElsewhere(
    decided,
    folder,
    accounts.filter((account) => !isWanted(account)),
  );
  const lost = findLost(of, decided, folder, accounts.filter(isWanted), listed);
  const [first] = lost;
  if (first === undefined) return;
  const all = lost.flatMap(({ keys }) => keys.map((key) => `${folder}/${key}`));
  const parts = lost.map((part) => partText(of, part));
  const message = `not all is there that was backed up: ${parts.join("; ")} (${shown(all)}); nothing was restored`;
  throw new DamageError("LOCALITY_LOST", message, { name: `${folder}/${first.keys[0]}` });
}

/** What the accounts of a database name and the stores do not have. */
export function findLost(
  of: Parts,
  { decisions }: Decided,
  folder: string,
  accounts: readonly string[],
  listed: readonly (readonly StoredObject[])[],
): Lost[] {
  const keys = listed.map((objects) => objects.map(({ key }) => key).join("\n"));
  return decisions.lost(`${folder}/`, of.layout, [...accounts], keys).map((part) => {
    const [locality = "", store = "", given, ...lost] = part.split("\n");
    return { locality, store: Number(store), given: given === "true", keys: lost };
  });
}

/** The keys of a database's accounts; nothing where no record of it can be read. */
export async function accountsIn(of: Parts, folder: string, options: Signal): Promise<string[] | undefined> {
  const { home } = await of.decided();
  const records = (await of.newest(folder, options)).map(({ key }) => key);
  const prefix = await of.prefixOf(records);
  const store = of.stores[home];
  if (prefix === undefined || store === undefined) return undefined;
  return (await everyObject(store, prefix, options)).map(({ key }) => key);
}

/** The locality that an account says; nothing for what is none. */
export function localityOf({ rules }: Decided, account: string): string | undefined {
  return rules.parseAccount(account)?.[3];
}

/** Refuses two databases that have one name: records under one key that are not of one size are not copies of each other. */
function refuseConflict({ rules, localities }: Decided, listed: readonly (readonly StoredObject[])[]): void {
  const sizes = new Map<string, { size: number; at: number }>();
  for (const [at, objects] of listed.entries()) {
    for (const { key, size } of objects) {
      const other = sizes.get(key);
      if (other === undefined) sizes.set(key, { size, at });
      else if (other.size !== size && rules.recordFirst(key) !== undefined) {
        const message = `${key} is another object in ${localities[at]} than in ${localities[other.at]}: two databases have this name; read each from its own store, without a locality`;
        throw new DamageError("LOCALITY_CONFLICT", message, { name: key });
      }
    }
  }
}

/** Where nothing is of a database: its store may be one that was not given. */
async function refuseAbsent(of: Parts, decided: Decided, folder: string, options: Signal): Promise<void> {
  const { rules, home, localities, only } = decided;
  const store = of.stores[home];
  if (store === undefined) return;
  const others = new Map<string, Set<string>>();
  for (const { key } of await everyObject(store, rules.accountsPrefix(), options)) {
    const [lineage, , , locality] = rules.parseAccount(key) ?? [];
    const isGiven = only === undefined ? localities.includes(locality ?? "") : localities[only] === locality;
    if (lineage === undefined || locality === undefined || isGiven) continue;
    others.set(locality, (others.get(locality) ?? new Set()).add(lineage));
  }
  if (others.size === 0) return;
  const held = [...others].map(([locality, ids]) => `${locality} (databases ${[...ids].join(", ")})`);
  const message = `there is nothing of ${folder} in the stores read, and the default store keeps account of backups in ${held.join(", ")}; give those stores, too`;
  throw new DamageError("LOCALITY_LOST", message, { name: folder });
}

function refuseElsewhere(decided: Decided, folder: string, accounts: readonly string[]): void {
  if (accounts.length === 0) return;
  const where = [...new Set(accounts.map((account) => localityOf(decided, account)))].join(", ");
  const own = decided.localities[decided.only ?? 0];
  const many = accounts.length === 1 ? "one backup" : `${accounts.length} backups`;
  const message = `a restore of ${folder} may need ${where}, where ${many} of it went, and only ${own} is to be read; leave that out, or give the store of ${own} alone, without a locality`;
  throw new PagemarkError("LOCALITY_ELSEWHERE", message, { name: folder });
}

function partText(of: Parts, { locality, store, given, keys }: Lost): string {
  const many = keys.length === 1 ? "one object" : `${keys.length} objects`;
  const there = `${many} of ${locality} ${keys.length === 1 ? "is" : "are"} not in ${of.stores[store]?.description}`;
  return given ? there : `${there}, and no store of ${locality} was given`;
}

function shown(keys: readonly string[]): string {
  const first = keys.slice(0, MOST_KEYS).join(", ");
  return keys.length <= MOST_KEYS ? first : `${first} and ${keys.length - MOST_KEYS} more`;
}

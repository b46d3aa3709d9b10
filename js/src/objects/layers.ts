// One store on top of others: backups that are made on top of backups elsewhere (`INCREMENTAL FROM`), and restores of them.
import { ObjectMissingError } from "../errors/index.ts";
import type { Store } from "../stores/store.ts";
import { mergedPage } from "../stores/store-list.ts";

/**
 * A store that shows the objects of several: what is put and deleted is in the first alone, what is read comes from the first
 * that has it.
 */
export function layers(top: Store, below: readonly Store[]): Store {
  const all = [top, ...below];
  /** Asks one after the other; the last one's answer is the answer. */
  const first = async <T>(ask: (store: Store) => Promise<T>): Promise<T> => {
    for (const store of all.slice(0, -1)) {
      try {
        return await ask(store);
      } catch (error) {
        if (!(error instanceof ObjectMissingError)) throw error;
      }
    }
    return ask(all.at(-1) ?? top);
  };
  return {
    layout: top.layout,
    description: all.map(({ description }) => description).join(" on "),
    givesChunksAway: all.every(({ givesChunksAway }) => givesChunksAway === true),
    ...(top.uploads && { uploads: top.uploads }),
    put: (key, body, options) => top.put(key, body, options),
    delete: (key, options) => top.delete(key, options),
    get: (key, options) => first((store) => store.get(key, options)),
    async checkComplete(folder, options) {
      for (const store of all) await store.checkComplete?.(folder, options);
    },
    async head(key, options) {
      for (const store of all) {
        const found = await store.head(key, options);
        if (found) return found;
      }
      return undefined;
    },
    list: (prefix, options) => mergedPage(all, prefix, options),
  };
}

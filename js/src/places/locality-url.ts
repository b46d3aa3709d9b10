// `?PAGEMARK_LOCALITY=region%3Deu`: which of several stores a URL or a folder's path is.
import { localityCore, naming } from "../core/index.ts";
import { checkText, PagemarkError, wrongType } from "../errors/index.ts";
import { redacted } from "./secrets.ts";

/** One store as a text, or several of which each has a locality. */
export type PlaceText = string | readonly string[];

/** A text without its locality, and that as it is encoded there. */
export interface TaggedPlace {
  place: string;
  /** Missing for a store that is none of several. */
  encoded?: string;
}

const PARAMETER = /([?&])(?:PAGEMARK|COCKROACH)_LOCALITY(?:=([^&#]*))?(?=[&#]|$)/gi;
/** Before all but the first of several stores in one text: white space behind a locality. */
const BETWEEN = /(?<=[?&](?:PAGEMARK|COCKROACH)_LOCALITY=\S*)\s+/i;

/** The stores that a text, or several, name. */
export function placesIn(places: PlaceText): string[] {
  const texts = typeof places === "string" ? [places] : places;
  if (!Array.isArray(texts)) throw wrongType("a path, a URL or a list of them", texts, "the store");
  for (const text of texts) checkText(text, "a store");
  return texts.flatMap((text) => text.split(BETWEEN)).filter((text) => text !== "");
}

/** @throws PagemarkError `USAGE` when it has two */
export function cutLocality(place: string): TaggedPlace {
  const found = [...place.matchAll(PARAMETER)];
  const [first] = found;
  if (first === undefined) return { place };
  if (found.length > 1) {
    const shown = redacted(place);
    throw new PagemarkError("USAGE", `${shown}: its locality is given twice`, { name: shown });
  }
  const [whole, before, encoded = ""] = first;
  const [start, rest] = [place.slice(0, first.index), place.slice(first.index + whole.length)];
  // What follows the question mark, if anything does, stays behind it.
  return {
    place: before === "?" && rest.startsWith("&") ? `${start}?${rest.slice(1)}` : start + rest,
    encoded,
  };
}

/** The localities of several stores, decoded. @throws PagemarkError `LOCALITY_…` */
export async function localitiesOf(places: readonly TaggedPlace[]): Promise<string[]> {
  const { decodeLocality } = await localityCore();
  return Promise.all(
    places.map(({ place, encoded }) => {
      const shown = redacted(place);
      if (encoded === undefined) {
        const message = `${shown}: each of several stores needs a locality: add ?PAGEMARK_LOCALITY=default, or one such as region%3Deu`;
        throw new PagemarkError("LOCALITY_SYNTAX", message, { name: shown });
      }
      return naming(`${shown}: ${encoded}`, () => decodeLocality(encoded));
    }),
  );
}

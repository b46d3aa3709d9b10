// Numbers, rates and times as people type and read them: times in the zone of this machine, which is always said.
import { InvalidArgumentError } from "commander";
import { PagemarkError } from "../errors/index.ts";

/** Units as sizes are printed: MB for 1,000,000 bytes, MiB for 1,048,576. */
const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("it must be a number");
  return value;
}

/** Reads a number of things: whole, 0 or more. */
export function count(text: string): number {
  if (/^\d{1,9}$/.test(text.trim())) return Number(text);
  throw new InvalidArgumentError("it must be a whole number, 0 or more");
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Reads a length of time, in milliseconds: `500ms`, `90s`, `5m`, `36h`, `30d`, `2w`. */
export function duration(text: string): number {
  const [, amount = "", unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*(ms|[smhdw])\s*$/.exec(text) ?? [];
  const length = Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
  if (amount !== "" && length >= 1) return Math.round(length);
  throw new InvalidArgumentError("it must be a number and a unit, such as 500ms, 90s, 5m, 36h or 30d");
}

/** Reads bytes a second: `5000000`, `5MB`, `4.5 MiB/s`. */
export function rate(text: string): number {
  const [, count = "", unit = ""] = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)(?:\/s|ps)?\s*$/i.exec(text) ?? [];
  const bytes = Number(count) * (UNITS[unit.toLowerCase().replace(/ps$/, "")] ?? Number.NaN);
  if (bytes >= 1) return bytes;
  throw new InvalidArgumentError("it must be bytes a second, such as 500000, 5MB or 4MiB");
}

/** A date, and a time of day or not, without a zone. */
const WITHOUT_ZONE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?$/i;
/** The same with the name of a zone, such as Europe/Berlin, behind it. */
const NAMED_ZONE = /^(.*\d) ?\[?([A-Za-z]+(?:\/[A-Za-z_+-]+)+)\]?$/;

/** Translates an `--at` for the library, which takes a time without a zone for UTC: to a user it is of this machine's zone. */
export function momentText(text: string): string;
export function momentText(text: string | undefined): string | undefined;
export function momentText(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const trimmed = text.trim();
  const [, before = "", zone] = NAMED_ZONE.exec(trimmed) ?? [];
  if (zone !== undefined && WITHOUT_ZONE.test(before)) return inZone(before, zone) ?? trimmed;
  const [, date, time = "00:00"] = WITHOUT_ZONE.exec(trimmed) ?? [];
  // What is no day or no time is refused by the library.
  if (date === undefined || !isDay(date)) return trimmed;
  const local = new Date(`${date}T${time}`);
  return Number.isNaN(local.getTime()) ? trimmed : local.toISOString();
}

/** Whether a date is in the calendar: JavaScript takes 2026-11-31 for December 1. */
function isDay(date: string): boolean {
  const day = new Date(`${date}T00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date);
}

/** Whether a text is an age, such as -1h. */
export function isAge(text: string): boolean {
  return /^-\d+(ms|[smhdw])$/.test(text);
}

/** Whether an `--at` is a time or an age, for which the newest backup before is taken. */
export function isTime(at: string): boolean {
  return isAge(at.trim()) || /^\d{10}$|^\d{13}$|^\d{4}-\d\d-\d\d($|[Tt ])/.test(at);
}

/** Writes a time: 2026-11-20 11:00:00 +01:00, or with `utc` 2026-11-20 10:00:00 UTC. */
export function timeText(time: string | number | Date, utc = false): string {
  const date = new Date(time);
  // A record's time is what its writer put there.
  if (Number.isNaN(date.getTime())) return "no time";
  const minutes = utc ? 0 : -date.getTimezoneOffset();
  const shifted = new Date(date.getTime() + minutes * 60_000).toISOString();
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 19)} ${offsetText(minutes)}`;
}

/** Repeats a time or an age as it was typed, with the zone where it was left out. */
export function spokenTime(at: string): string {
  const text = momentText(at);
  return text === at.trim() ? text : `${at.trim()} (${timeText(text)})`;
}

function offsetText(minutes: number): string {
  if (minutes === 0) return "UTC";
  const two = (count: number) => String(Math.floor(Math.abs(count))).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** Translates a time in a named zone to UTC; `undefined` when there is no such zone or day. */
function inZone(text: string, zone: string): string | undefined {
  const [, date = "", time = "00:00"] = WITHOUT_ZONE.exec(text) ?? [];
  if (!isDay(date)) return undefined;
  const asUtc = Date.parse(`${date}T${time}Z`);
  try {
    const clock = new Intl.DateTimeFormat("sv-SE", {
      timeZone: zone,
      dateStyle: "short",
      timeStyle: "medium",
    });
    const offset = (at: number) => Date.parse(`${clock.format(at).replace(" ", "T")}Z`) - (at - (at % 1000));
    // The offset that holds around that time, asked again where the clocks change in between.
    return new Date(asUtc - offset(asUtc - offset(asUtc))).toISOString();
  } catch {
    return undefined;
  }
}

/** For an option that may be repeated: one value more. */
export function oneMore(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** The name in `d1://<account>/<name>`, as it is written in a URL. @throws PagemarkError `USAGE` */
export function hostedName(text: string, place: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    const message = `${place}: after a % there must be two hex digits, as in URLs; % itself is %25`;
    throw new PagemarkError("USAGE", message, {}, { cause: error });
  }
}

// Sizes, counts and times, as a person reads them.
import type { Origin } from "./api.ts";
import { h } from "./dom.ts";

const UNITS = ["B", "kB", "MB", "GB", "TB"];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const exact = new Intl.DateTimeFormat("en", {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
  timeZoneName: "short",
});
const day = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });
const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const seconds = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });
const whole = new Intl.NumberFormat("en");

/** 95.3 kB */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  for (; value >= 1000 && unit < UNITS.length - 1; unit++) value /= 1000;
  return `${Number(value.toPrecision(3))} ${UNITS[unit]}`;
}

/** 12,345 */
export function number(count: number): string {
  return whole.format(count);
}

/** 1 table, 2 tables */
export function counted(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

const STEPS: readonly [Intl.RelativeTimeFormatUnit, length: number][] = [
  ["second", 1],
  ["minute", 60],
  ["hour", 3600],
  ["day", 86_400],
  ["month", 30 * 86_400],
  ["year", 365 * 86_400],
];

/** 3 hours ago */
export function ago(time: string): string {
  const age = (Date.now() - Date.parse(time)) / 1000;
  const [unit, length] = STEPS.findLast(([, length]) => age >= length) ?? ["second", 1];
  return age < 5 ? "just now" : relative.format(-Math.floor(age / length), unit);
}

/** Nov 21, 2026, 10:00:00 GMT+1, in the reader's time zone, which is said */
export function moment(time: string | number): string {
  return exact.format(new Date(time));
}

/** For an axis: as much of the time as tells its ends apart. */
export function tick(time: number, spanMs: number): string {
  const format = spanMs < 10 * 60_000 ? seconds : spanMs < 2 * 86_400_000 ? clock : day;
  return format.format(new Date(time));
}

/** "3 hours ago", with the exact time for who points at it. */
export function timeElement(time: string): HTMLElement {
  return h("time", { datetime: time, title: `${moment(time)} (${time})` }, ago(time));
}

/** "3 hours ago", and the exact time beside it. */
export function exactTime(time: string): HTMLElement {
  return h("span", { class: "when" }, timeElement(time), " ", exactly(time));
}

/** The exact time, in small letters. */
export function exactly(time: string): HTMLElement {
  return h("span", { class: "exact" }, moment(time));
}

const ORIGINS: Readonly<Record<Origin, string>> = {
  manual: "by hand",
  scheduled: "by a schedule",
  automatic: "by schedule",
  restore: "before a restore (safety)",
};

/** Who wanted a backup. */
export function madeBy(origin: Origin | undefined): string {
  return origin === undefined ? "" : ORIGINS[origin];
}

// When scheduled backups are due: days, hours, zones, clocks that jump, runs that were late.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { configSchema, readConfig } from "../../js/dist/cli/config.js";
import { Agenda, type Plan } from "../../js/dist/vault/agenda.js";
import { tempFolder } from "../support/temp.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const folder = tempFolder();

function agenda(schedule: string, more: Partial<Plan> = {}) {
  return new Agenda({ name: "app", schedule, timezone: "UTC", full: "auto", ...more });
}

const backupAt = (ms: number, kind = "incremental") =>
  ({ createdAt: new Date(ms).toISOString(), kind }) as never;

test("A1 with ticks that are late, doubled and missed, an hour has one backup, and missed ones are told", () => {
  const hourly = agenda("@hourly");
  const start = Date.UTC(2026, 10, 1);
  const made: number[] = [];
  let told = 0;
  for (let hour = 0; hour < 25; hour++) {
    if ([7, 8, 9].includes(hour)) continue;
    for (const late of [0, 0, 1000, 20 * 60_000]) {
      const now = start + hour * HOUR + late;
      const due = hourly.due(made.length > 0 ? backupAt(made.at(-1) ?? 0) : undefined, now);
      if (due.atMs > now) continue;
      made.push(now);
      told += due.missed;
    }
  }
  expect(new Set(made.map((ms) => Math.floor(ms / HOUR))).size).toBe(made.length);
  expect([made.length, told]).toEqual([22, 3]);
});

test.each(["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"])(
  "B7 over 28 days, full ones are those of %s and the first",
  (day) => {
    const full = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"].indexOf(day);
    const daily = agenda("30 2 * * *", { full, timezone: "Asia/Kolkata" });
    const backups: { createdAt: string; kind: string }[] = [];
    let now = Date.UTC(2026, 9, 31, 3);
    for (let run = 0; run < 28; run++) {
      now = daily.due(backups[0] as never, now).atMs;
      const kind = daily.isFull(backups as never, now) || backups.length === 0 ? "full" : "incremental";
      backups.unshift({ createdAt: new Date(now).toISOString(), kind });
      // A second one on the same day is no full one.
      expect(daily.isFull(backups as never, now + HOUR)).toBe(false);
      now += HOUR;
    }
    const inIndia = new Intl.DateTimeFormat("en", { weekday: "long", timeZone: "Asia/Kolkata" });
    const days = backups
      .slice(0, -1)
      .map(({ createdAt, kind }) => [inIndia.format(Date.parse(createdAt)), kind]);
    for (const [weekday, kind] of days) expect(kind).toBe(weekday === day ? "full" : "incremental");
  },
);

test("F7 a clock that went back puts nothing off, and summer time leaves no day out", () => {
  const daily = agenda("30 2 * * *", { timezone: "Europe/Berlin" });
  const now = Date.UTC(2026, 10, 1);
  expect(daily.due(backupAt(now + 3650 * DAY), now).atMs).toBeLessThanOrEqual(now + DAY);
  // 2:30 does not exist on 29 March 2026.
  const days: string[] = [];
  for (let at = Date.UTC(2026, 2, 27); at < Date.UTC(2026, 3, 1); at = daily.next(at))
    days.push(new Date(at).toISOString().slice(0, 10));
  expect(days).toEqual(["2026-03-27", "2026-03-27", "2026-03-28", "2026-03-29", "2026-03-30", "2026-03-31"]);
});

test("B6 full backups by a schedule of their own are the first of each of its times, also late", () => {
  const weekly = agenda("30 2 * * *", { full: { schedule: "0 0 * * 0" } });
  const sunday = Date.UTC(2026, 10, 1);
  expect(weekly.isFull([], sunday)).toBe(true);
  const backups = [backupAt(sunday + 3 * HOUR, "full"), backupAt(sunday + DAY)];
  expect(weekly.isFull(backups, sunday + 2 * DAY)).toBe(false);
  // Nothing was made on the next Sunday.
  expect(weekly.isFull(backups, sunday + 8 * DAY)).toBe(true);
  expect(() => agenda("@daily", { full: { schedule: "61 * * * *" } })).toThrow(/is no schedule/);
});

test("what is no schedule, no zone and no setting is refused by its name", async () => {
  expect(() => agenda("61 * * * *")).toThrow(/is no schedule/);
  expect(() => agenda("@hourly", { timezone: "Mars/Olympus" })).toThrow(/no schedule/);
  const config = async (text: string, name = "p.toml") => {
    writeFileSync(join(folder, name), text);
    return readConfig(join(folder, name));
  };
  const database = 'store = "s"\n[[databases]]\nfile = "a.db"\n';
  await expect(config(`${database}scedule = "@daily"`)).rejects.toThrow(
    /p\.toml: databases\[0\]\.scedule is no setting/,
  );
  await expect(config(`${database}full = "Funday"`)).rejects.toThrow(/weekday/);
  await expect(config(`${database}[databases.keep]\ndaily = "7"`)).rejects.toThrow(
    /keep\.daily must be a whole number/,
  );
  // What holds for all stands at the top, and is wrong there.
  await expect(config(`full = "x"\n${database}`)).rejects.toThrow(/p\.toml: full must be/);
  await expect(config(`keep.daily = -1\n${database}`)).rejects.toThrow(/p\.toml: keep\.daily must be/);
  await expect(config("store = ")).rejects.toThrow(/line 1/);
  await expect(config('store = "s"')).rejects.toThrow(/at least one database/);
  const json = JSON.stringify({ store: "s", keep: { daily: 7 }, databases: [{ file: "a.db" }] });
  expect(await config(json, "p.json")).toMatchObject([
    { name: "a", store: join(folder, "s"), schedule: "@hourly", keep: { keepDaily: 7, keepManual: true } },
  ]);
  expect(configSchema()).toMatchObject({ required: ["databases"] });
});

test("names are what keeps databases of one store apart, not the names of their files", async () => {
  const read = (text: string) => {
    writeFileSync(join(folder, "names.toml"), `store = "s"\n${text}`);
    return readConfig(join(folder, "names.toml"));
  };
  const entry = (file: string, more = "") => `[[databases]]\nfile = "${file}"\n${more}\n`;
  await expect(read(entry("x/app.db") + entry("y/app.db"))).rejects.toThrow(
    /one name in the store, app: give each/,
  );
  await expect(read(entry("a.db", 'name = "b"') + entry("b.db"))).rejects.toThrow(/one name in the store, b/);
  expect(await read(entry("x/app.db") + entry("y/app.db", 'name = "other"'))).toHaveLength(2);
  expect(await read(entry("a.db") + entry("a.db", 'store = "s3://offsite"'))).toHaveLength(2);
});

test("the page about it shows a configuration that is read as it says", async () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/configuration.md"), "utf8");
  const [, sample = ""] = /```toml\n([\s\S]*?)```/.exec(page) ?? [];
  writeFileSync(join(folder, "sample.toml"), sample);
  expect(await readConfig(join(folder, "sample.toml"))).toMatchObject([{ name: "shop", full: 0 }]);
});

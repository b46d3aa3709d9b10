import { expect, test } from "vitest";
import { delayOf, missedPeriods, nextPeriod, period } from "../../js/dist/vault/schedule.js";

const HOUR = 3_600_000;

test("A1 backups are hourly unless the setting says otherwise, and a word that is none does not turn them off", () => {
  for (const word of [undefined, "hourly", " Hourly\n", "", "on", "true", "0 * * * *", "constructor"]) {
    expect(period(word), word).toBe(HOUR);
  }
  expect(period("Daily ")).toBe(24 * HOUR);
  expect(period("OFF")).toBeUndefined();
});

test("A2 missed periods are counted, and a period has one backup", () => {
  expect(nextPeriod(5 * HOUR, HOUR)).toBe(6 * HOUR);
  expect(missedPeriods(5 * HOUR, 5 * HOUR + 1, HOUR)).toBe(-1);
  expect(missedPeriods(5 * HOUR, 6 * HOUR, HOUR)).toBe(0);
  expect(missedPeriods(5 * HOUR, 9 * HOUR - 1, HOUR)).toBe(2);
});

test("A1 databases are spread over a quarter of an hour, each always at the same time", () => {
  const delays = Array.from({ length: 1000 }, () => delayOf(crypto.randomUUID()));
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...delays)).toBeLessThan(HOUR / 4);
  expect(new Set(delays.map((delay) => Math.floor(delay / 60_000))).size).toBe(15);
  const id = "2b1f3f0e-7c1e-4d7e-9a46-0d3c5b9f1a77";
  expect(delayOf(id)).toBe(delayOf(id));
});

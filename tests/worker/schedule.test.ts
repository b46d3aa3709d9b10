import { expect, test } from "vitest";
import { missedPeriods, nextPeriod, period } from "../../js/dist/worker/database/schedule.js";

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

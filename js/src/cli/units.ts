// Numbers as people write them.
import { InvalidArgumentError } from "commander";

/** As sizes are printed: MB for 1,000,000 bytes, MiB for 1,048,576. */
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

/** Bytes a second: `5000000`, `5MB`, `4.5 MiB/s`. */
export function rate(text: string): number {
  const [, count = "", unit = ""] = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)(?:\/s|ps)?\s*$/i.exec(text) ?? [];
  const bytes = Number(count) * (UNITS[unit.toLowerCase().replace(/ps$/, "")] ?? Number.NaN);
  if (bytes >= 1) return bytes;
  throw new InvalidArgumentError("it must be bytes a second, such as 500000, 5MB or 4MiB");
}

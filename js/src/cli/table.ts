// Tables for people: at most as wide as the terminal, whatever script their texts are in.
import { createRequire } from "node:module";

export type Align = "left" | "right";

const GAP = "  ";
/** A column does not become narrower than its longest word, up to this. If that is too wide, each row becomes a block of lines. */
const LONGEST_WORD = 16;
const NARROWEST = 8;

/** Columns of the terminal; without one, as COLUMNS says, or 80. */
export function terminalWidth(): number {
  const { columns = Number(process.env.COLUMNS) } = process.stdout;
  return columns > 0 ? columns : 80;
}

/** Lays rows out under a head, right-aligned where `align` says so. Texts must be printable; long ones are wrapped. */
export function layOut(
  head: string[],
  rows: string[][],
  align: Align[] = [],
  width = terminalWidth(),
): string {
  const widths = head.map((name, at) =>
    Math.max(...[name, ...rows.map((row) => row[at] ?? "")].map(widthOf)),
  );
  const least = head.map((name, at) => longestWord([name, ...rows.map((row) => row[at] ?? "")]));
  if (!shrink(widths, least, align, width)) return blocks(head, rows, width);
  return [head, ...rows].map((row) => line(row, widths, align)).join("\n");
}

/** Lays out names and their values, a line each; long ones are wrapped. */
export function layOutFacts(facts: [name: string, value: string][], width = terminalWidth()): string {
  const names = Math.max(...facts.map(([name]) => widthOf(name)));
  const room = Math.max(NARROWEST, width - names - GAP.length);
  return facts.map((fact) => line(fact, [names, room], [])).join("\n");
}

/** Wraps text to the terminal's width. */
export function layOutText(text: string, width = terminalWidth()): string {
  return wrap(text, width).join("\n");
}

/** Narrows the widest columns of text until all columns fit. Returns whether they do. */
function shrink(widths: number[], least: number[], align: Align[], width: number): boolean {
  let over = widths.reduce((sum, each) => sum + each, (widths.length - 1) * GAP.length) - width;
  for (; over > 0; over--) {
    let widest: number | undefined;
    for (const [at, each] of widths.entries()) {
      const mayShrink = align[at] !== "right" && each > (least[at] ?? 0);
      if (mayShrink && each > (widths[widest ?? -1] ?? 0)) widest = at;
    }
    if (widest === undefined) return false;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return true;
}

function longestWord(texts: string[]): number {
  const words = texts.flatMap((text) => text.split(/\s/)).map(widthOf);
  return Math.min(LONGEST_WORD, Math.max(...words));
}

function line(row: string[], widths: number[], align: Align[]): string {
  const cells = widths.map((width, at) => wrap(row[at] ?? "", width));
  const height = Math.max(...cells.map(({ length }) => length));
  const lines = Array.from({ length: height }, (_, index) => {
    const texts = cells.map((cell, at) => {
      const text = cell[index] ?? "";
      const space = " ".repeat((widths[at] ?? 0) - widthOf(text));
      return align[at] === "right" ? space + text : text + space;
    });
    return texts.join(GAP).trimEnd();
  });
  return lines.join("\n");
}

/** Lays rows out as blocks of lines, where there is no room for columns. */
function blocks(head: string[], rows: string[][], width: number): string {
  const facts = (row: string[]) => head.map((name, at): [string, string] => [name, row[at] ?? ""]);
  return rows.map((row) => layOutFacts(facts(row), width)).join("\n\n");
}

/** Text for the end of a command's help. */
export function helpNote(text: string): string {
  return `\n${wrap(text, terminalWidth()).join("\n")}`;
}

/** Cuts text into lines of `width` columns, at spaces where there are any. */
function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => wrapLine(line, width));
}

function wrapLine(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/(?<= )/)) {
    if (line !== "" && widthOf(line + word.trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = "";
    }
    for (const { segment } of widthOf(word) > width ? letters(word) : [{ segment: word }]) {
      if (line !== "" && widthOf(line + segment.trimEnd()) > width) {
        lines.push(line.trimEnd());
        line = "";
      }
      line += segment;
    }
  }
  return [...lines, line.trimEnd()];
}

let graphemes: Intl.Segmenter | undefined;

/** Splits a word into what a reader takes for single letters. */
function letters(word: string): Iterable<{ segment: string }> {
  graphemes ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  return graphemes.segment(word);
}

/** Width in columns of a terminal. */
function widthOf(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : wideWidth(text);
}

type StringWidth = typeof import("string-width").default;
let stringWidth: StringWidth | undefined;

/** Loads the library at the first text that needs it: its tables take as long as all else at the start of a command. */
function wideWidth(text: string): number {
  stringWidth ??= createRequire(import.meta.url)("string-width").default as StringWidth;
  return stringWidth(text);
}

// Sizes over time: the database as a line, what each backup stored as bars.
import type { Backup } from "./api.ts";
import { h, s, swap } from "./dom.ts";
import { bytes, counted, moment, tick } from "./format.ts";

interface Point {
  time: number;
  size: number;
  stored: number;
}

/** In CSS pixels. */
const HEIGHT = 200;
const LEAST_WIDTH = 240;
const [TOP, RIGHT, BOTTOM, LEFT] = [12, 4, 26, 64];
const BAR = 6;

/** The chart of the sizes of backups, as wide as there is room, and the same in words. */
export class Chart {
  readonly element = h("div");
  readonly #resized = new ResizeObserver(() => this.#draw());
  #points: readonly Point[] = [];
  #width = 0;

  constructor() {
    this.#resized.observe(this.element);
  }

  /** Newest first. */
  show(backups: readonly Backup[]): void {
    this.#points = backups.map(pointOf).reverse();
    this.#width = 0;
    this.#draw();
  }

  close(): void {
    this.#resized.disconnect();
  }

  #draw(): void {
    const width = Math.max(LEAST_WIDTH, this.element.clientWidth);
    if (width === this.#width) return;
    this.#width = width;
    const [first, last] = [this.#points[0], this.#points.at(-1)];
    if (!first || !last || first === last) {
      swap(this.element, h("p", { class: "muted" }, "The chart begins with the second backup."));
    } else {
      swap(this.element, figure(this.#points, first, last, width));
    }
  }
}

function figure(points: readonly Point[], first: Point, last: Point, width: number): HTMLElement {
  const text = describe(points, first, last);
  return h(
    "figure",
    { class: "chart" },
    s(
      "svg",
      { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": text },
      ...drawing(points, first.time, last.time, width),
    ),
    h(
      "figcaption",
      {},
      h("span", { class: "key" }, "Database size"),
      h("span", { class: "key bars" }, "Stored for each backup"),
      h("span", { class: "muted" }, text),
    ),
  );
}

function pointOf({ created_at, file_size, stored_size }: Backup): Point {
  return { time: Date.parse(created_at), size: file_size, stored: stored_size };
}

function describe(points: readonly Point[], first: Point, last: Point): string {
  const stored = points.reduce((sum, point) => sum + point.stored, 0);
  const sizes =
    first.size === last.size
      ? `The database has had ${bytes(last.size)}`
      : `The database went from ${bytes(first.size)} to ${bytes(last.size)}`;
  return `${sizes} since ${moment(first.time)}; ${counted(points.length, "backup")} take ${bytes(stored)}.`;
}

function drawing(points: readonly Point[], from: number, to: number, width: number): SVGElement[] {
  const [step, top] = scale(Math.max(...points.map(({ size, stored }) => Math.max(size, stored))));
  const span = Math.max(1, to - from);
  const x = (time: number) => LEFT + BAR + ((time - from) / span) * (width - LEFT - RIGHT - 2 * BAR);
  const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const lines = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step);
  const path = points.map(({ time, size }) => `${x(time).toFixed(1)} ${y(size).toFixed(1)}`).join("L");
  return [
    ...lines.flatMap((value) => [
      s("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: "grid" }),
      s("text", { x: LEFT - 10, y: y(value) + 4, "text-anchor": "end" }, bytes(value)),
    ]),
    ...times(from, span).map(([time, anchor]) =>
      s("text", { x: x(time), y: HEIGHT - 6, "text-anchor": anchor }, tick(time, span)),
    ),
    ...points.map(({ time, stored }) => {
      const height = Math.max(1.5, y(0) - y(stored));
      return s("rect", {
        x: x(time) - BAR / 2,
        y: y(0) - height,
        width: BAR,
        height,
        rx: 1.5,
        class: "bar-stored",
      });
    }),
    s("path", { d: `M${path}L${x(to)} ${y(0)}L${x(from)} ${y(0)}Z`, class: "area" }),
    s("path", { d: `M${path}`, class: "line" }),
    ...points.map(({ time, size, stored }) =>
      s(
        "circle",
        { cx: x(time), cy: y(size), r: points.length > 60 ? 1.5 : 3, class: "dot" },
        s("title", {}, `${moment(time)}: database ${bytes(size)}, stored ${bytes(stored)}`),
      ),
    ),
  ];
}

/** A round step of at most four lines, and the top of the scale, in bytes. */
function scale(most: number): [step: number, top: number] {
  const rough = Math.max(most, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5].find((each) => each * power >= rough) ?? 10) * power;
  return [step, step * Math.max(1, Math.ceil(most / step))];
}

function times(from: number, span: number): [time: number, anchor: string][] {
  return [
    [from, "start"],
    [from + span / 2, "middle"],
    [from + span, "end"],
  ];
}

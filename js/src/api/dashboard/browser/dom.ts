// Elements, made in one expression. Text is always text: nothing is ever parsed as HTML.

type Child = Node | string | false | null | undefined;
/** Attributes; `on…` are listeners, booleans say whether the attribute is there. */
type Attributes = Readonly<
  Record<string, string | number | boolean | undefined | ((event: Event) => unknown)>
>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of SVG. */
export function s(tag: string, attributes: Attributes = {}, ...children: Child[]): SVGElement {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/** Replaces what is in `parent`. The focus stays on the element of the same id. */
export function swap(parent: Element, ...children: Child[]): void {
  const { activeElement } = document;
  const focused = activeElement && parent.contains(activeElement) ? activeElement.id : "";
  parent.replaceChildren(...children.filter((each) => each instanceof Node || !!each).map(asNode));
  if (focused) document.getElementById(focused)?.focus();
}

function filled<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, String(value));
  }
  element.append(...children.filter((each) => each instanceof Node || !!each).map(asNode));
  return element;
}

function asNode(child: Child): Node | string {
  return child || "";
}

// The XML of S3's answers: flat, without attributes that matter, and shorter than a reader of all of XML.

/** The texts of all elements of a name, in their order, as they are written. */
export function elements(xml: string, name: string): string[] {
  const found: string[] = [];
  const end = `</${name}>`;
  for (let at = 0; ; ) {
    const open = xml.indexOf(`<${name}`, at);
    if (open < 0) return found;
    const close = xml.indexOf(">", open);
    if (close < 0) return found;
    at = close + 1;
    const after = xml[open + name.length + 1] ?? "";
    if (after !== ">" && !/\s/.test(after)) continue; // another element, or an empty one
    const last = xml.indexOf(end, at);
    if (last < 0) return found;
    found.push(xml.slice(at, last));
    at = last + end.length;
  }
}

/** The text of the first element of a name, as it is meant. */
export function textOf(xml: string, name: string): string | undefined {
  const [first] = elements(xml, name);
  return first === undefined ? undefined : plain(first);
}

const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function plain(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w{2,4}));/gi, (whole, hex, decimal, name) => {
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    if (name !== undefined) return NAMED[name] ?? whole;
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** Text as it stands in an element. */
export function escaped(text: string): string {
  return text.replace(/[&<>]/g, (char) => (char === "&" ? "&amp;" : char === "<" ? "&lt;" : "&gt;"));
}

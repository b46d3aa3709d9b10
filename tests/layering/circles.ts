// Which files use one another, however many there are between them.

/** Tarjan's strongly connected components of more than one file: each as its files, by name. */
export function circlesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const path: string[] = [];
  const visit = (file: string): number => {
    let low = order.size;
    order.set(file, low);
    const start = path.push(file) - 1;
    for (const next of graph.get(file) ?? []) {
      if (!order.has(next) && graph.has(next)) low = Math.min(low, visit(next));
      else if (path.includes(next)) low = Math.min(low, order.get(next) ?? low);
    }
    if (low === order.get(file)) {
      const circle = path.splice(start);
      if (circle.length > 1) found.push(circle.sort());
    }
    return low;
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return found;
}

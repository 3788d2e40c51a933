/**
 * One line of a table, and a function that updates it.
 * @template Row
 * @typedef {{ node: HTMLElement, update: (row: Row) => void }} Line
 */

/**
 * Keeps the lines of a table body equal to rows, each identified by its key. Lines that stay are not replaced, so the
 * focus stays where it is.
 * @template Row
 * @param {HTMLElement} body
 * @param {(row: Row) => string} keyOf
 * @param {(row: Row) => Line<Row>} create
 * @returns {(rows: readonly Row[]) => void}
 */
export function keyedRows(body, keyOf, create) {
  /** @type {Map<string, Line<Row>>} */
  const lines = new Map();
  return (rows) => {
    const wanted = new Set(rows.map(keyOf));
    for (const [key, { node }] of lines) {
      if (wanted.has(key)) continue;
      node.remove();
      lines.delete(key);
    }
    for (const [index, row] of rows.entries()) {
      const key = keyOf(row);
      const line = lines.get(key) ?? create(row);
      lines.set(key, line);
      line.update(row);
      const there = body.children[index] ?? null;
      if (there !== line.node) body.insertBefore(line.node, there);
    }
  };
}

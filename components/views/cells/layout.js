// Where the cells of a tensor stand: planes of the last two dims, side by side for the other dims. Pure functions.

/** How a shape is drawn: planes in a grid of gridRows × gridColumns, each of rows × columns cells. */
export function facets(shape, wrap = false) {
  const n = shape.length;
  const columns = n ? shape[n - 1] : 1;
  const rows = n > 1 ? shape[n - 2] : 1;
  const count = shape.slice(0, -2).reduce((a, b) => a * b, 1);
  let gridColumns = n > 2 ? shape[n - 3] : 1;
  if (wrap) gridColumns = Math.ceil(Math.sqrt(count));
  gridColumns = Math.max(1, Math.min(gridColumns, count));
  return { rows, columns, count, gridColumns, gridRows: Math.max(1, Math.ceil(count / gridColumns)) };
}

/** A name for each of `n` dims: the last names given, else its number. */
export function dimNames(n, given) {
  const lead = n - given.length;
  return Array.from({ length: n }, (_, d) => given[d - lead] || `dim ${d}`);
}

/** Which dim runs where: over the planes, down, to the right. */
export function legend(names) {
  const n = names.length;
  const across = n ? [`→ ${names[n - 1]}`] : [];
  const down = n > 1 ? [`↓ ${names[n - 2]}`] : [];
  const planes = n > 2 ? [`sheets ${names.slice(0, -2).join(", ")}`] : [];
  return [...planes, ...down, ...across].join("  ");
}

/** The index of every dim for a flat cell: 5 in (2, 3) is [1, 2]. */
export function unravel(flat, shape) {
  const at = [];
  for (let d = shape.length - 1; d >= 0; d--) {
    at.unshift(flat % shape[d]);
    flat = Math.floor(flat / shape[d]);
  }
  return at;
}

/** For every cell of `result`, the flat cell of `shape` that broadcasting shows there. */
export function stretch(shape, result) {
  const lead = result.length - shape.length;
  const total = result.reduce((a, b) => a * b, 1);
  return Int32Array.from({ length: total }, (_, flat) => {
    const at = unravel(flat, result).slice(lead);
    return at.reduce((sum, i, d) => sum * shape[d] + (shape[d] === 1 ? 0 : i), 0);
  });
}

/** Links as lists by output cell and by input cell of each tensor. */
export function index(links) {
  const byOutput = new Map();
  const byInput = links.map(() => new Map());
  links.forEach(({ tensor, output, input, weight }, n) => {
    for (let i = 0; i < output.length; i++) {
      const link = { tensor, output: output[i], cell: input[i], weight: weight[i] };
      if (!byOutput.has(link.output)) byOutput.set(link.output, []);
      byOutput.get(link.output).push(link);
      const back = byInput[n];
      if (!back.has(link.cell)) back.set(link.cell, []);
      back.get(link.cell).push(link);
    }
  });
  return { byOutput, byInput: new Map(links.map((l, n) => [l.tensor, byInput[n]])) };
}

/** Terms of a sum of products by output cell: lists of operand cells. */
export function termsOf(terms) {
  const found = new Map();
  if (!terms) return found;
  const n = terms.operands.shape[1];
  for (let t = 0; t < terms.output.length; t++) {
    const cell = terms.output[t];
    if (!found.has(cell)) found.set(cell, []);
    found.get(cell).push(Array.from({ length: n }, (_, k) => terms.operands[t * n + k]));
  }
  return found;
}

/**
 * Places the blocks in rows from left to right with the largest cells that fit.
 *
 * Each block: {shape, least (width), head (height of its titles), fixed ([w, h]) for a large tensor's picture}.
 * `ratio` is a cell's width over its height. Returns {cell: [w, h], fits, blocks: [{left, top, facets, planes: [[x, y]]}]}.
 */
export function place(blocks, { width, height, gap, largest, smallest, ratio, facetGap, label }) {
  let last = null;
  for (const wrap of [false, true]) {
    for (let h = largest; h >= smallest; h -= h > 12 ? 1 : 0.5) {
      const cell = [h * ratio(h), h];
      const made = flow(blocks, cell, wrap, { width, gap, facetGap, label });
      last = { ...made, cell, fits: made.height <= height && made.width <= width };
      if (last.fits) {
        if (wrap || h > 14 || !blocks.some((b) => b.shape.length > 2)) return last;
        break; // wrapped planes may allow larger cells
      }
    }
  }
  return last;
}

function flow(blocks, [w, h], wrap, { width, gap, facetGap, label }) {
  let [x, y, tallest, widest] = [0, 0, 0, 0];
  const made = blocks.map((block) => {
    const f = facets(block.shape, wrap);
    const top = f.count > 1 ? label : 0;
    const inner = block.fixed
      ? [block.fixed[0], block.fixed[1]]
      : [f.gridColumns * (f.columns * w + facetGap) - facetGap, f.gridRows * (f.rows * h + facetGap + top) - facetGap];
    const wide = Math.max(block.least, inner[0]);
    if (x > 0 && x + wide > width) {
      x = 0;
      y += tallest + gap * 0.6;
      tallest = 0;
    }
    const at = { left: x, top: y + block.head, facets: f, wide, high: inner[1], planes: [] };
    for (let n = 0; n < f.count; n++) {
      const [i, j] = [Math.floor(n / f.gridColumns), n % f.gridColumns];
      at.planes.push([x + j * (f.columns * w + facetGap), y + block.head + top + i * (f.rows * h + facetGap + top)]);
    }
    x += wide + gap;
    widest = Math.max(widest, x - gap);
    tallest = Math.max(tallest, block.head + inner[1]);
    return at;
  });
  return { blocks: made, width: widest, height: y + tallest };
}

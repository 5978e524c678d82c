// Laws of the cells view's layout: pure functions, run in Node and in the browser.

let failures;

function equal(found, wanted, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) failures.push(`${what}: ${a} is not ${b}`);
}

function holds(truth, what) {
  if (!truth) failures.push(what);
}

/** What is broken, as sentences; `load(path)` imports a module of components/views. */
export async function broken(load) {
  failures = [];
  const c = await load("cells/layout.js");

  equal(c.dimNames(3, []), ["dim 0", "dim 1", "dim 2"], "dims without names have their numbers");
  equal(c.dimNames(3, ["row", ""]), ["dim 0", "row", "dim 2"], "names stand at the right, as broadcasting aligns them");
  equal(c.legend(["batch", "channel", "row", "column"]), "sheets batch, channel  ↓ row  → column", "planes, down, across");
  equal(c.legend(["column"]), "→ column", "one dim runs across");
  equal(c.legend([]), "", "a 0-d tensor has no dims");
  equal(c.unravel(5, [2, 3]), [1, 2], "the last cell of (2, 3)");
  equal(c.unravel(0, []), [], "a 0-d tensor has one cell without an index");
  for (let flat = 0; flat < 24; flat++) {
    const at = c.unravel(flat, [2, 3, 4]);
    holds(at[0] * 12 + at[1] * 4 + at[2] === flat, `unravel(${flat}) is undone by the strides`);
  }

  equal(c.facets([]), { rows: 1, columns: 1, count: 1, gridColumns: 1, gridRows: 1 }, "0-d");
  equal(c.facets([4]), { rows: 1, columns: 4, count: 1, gridColumns: 1, gridRows: 1 }, "1-d is a row");
  equal(c.facets([2, 3, 4, 5]), { rows: 4, columns: 5, count: 6, gridColumns: 3, gridRows: 2 }, "4-d is a grid of planes");
  equal(c.facets([9, 1, 1], true).gridColumns, 3, "wrapped planes form a square");

  equal([...c.stretch([3], [2, 3])], [0, 1, 2, 0, 1, 2], "a row is repeated downwards");
  equal([...c.stretch([2, 1], [2, 3])], [0, 0, 0, 1, 1, 1], "a column is repeated sideways");
  equal([...c.stretch([], [2, 2])], [0, 0, 0, 0], "a number is everywhere");
  equal([...c.stretch([2, 2], [2, 2])], [0, 1, 2, 3], "equal shapes stay");

  const { byOutput, byInput } = c.index([
    { tensor: 0, output: [0, 0, 1], input: [2, 1, 2], weight: [0.5, NaN, 1] },
    { tensor: 3, output: [1], input: [0], weight: [2] },
  ]);
  equal(byOutput.get(0).map((l) => l.cell), [2, 1], "who made output 0");
  equal(byOutput.get(1).map((l) => l.tensor), [0, 3], "output 1 has two makers");
  equal(byInput.get(0).get(2).map((l) => l.output), [0, 1], "cell 2 reaches both outputs");
  equal(byInput.get(3).get(0).length, 1, "the other tensor's cell reaches one");
  holds(!byOutput.has(7), "an output nobody made has no entry");

  const operands = Int32Array.from([0, 0, 1, 2, 0, 1]);
  operands.shape = [3, 2];
  const terms = c.termsOf({ output: Int32Array.from([0, 0, 1]), operands });
  equal(terms.get(0), [[0, 0], [1, 2]], "both terms of the first sum");
  equal(c.termsOf(null).size, 0, "no terms");

  const how = { gap: 30, largest: 50, smallest: 2, ratio: () => 1.5, facetGap: 8, label: 14 };
  const block = (shape) => ({ shape, least: 60, head: 30, fixed: null });
  for (const shapes of [[[2, 3], [3], [2, 3]], [[2, 3, 4], [4, 3, 2]], [[30, 30]], [[2, 2, 2, 2, 2]], [[]], [[1000]]]) {
    for (const [width, height] of [[900, 300], [400, 300]]) {
      const got = c.place(shapes.map(block), { ...how, width, height });
      const [w, h] = got.cell;
      const told = `${JSON.stringify(shapes)} in ${width} × ${height}`;
      holds(h > 0 && w > 0, `cells of ${told} have a size`);
      const boxes = got.blocks.flatMap((b) => b.planes.map(([x, y]) => [x, y, x + b.facets.columns * w, y + b.facets.rows * h]));
      if (got.fits) holds(boxes.every(([x, y, r, t]) => x >= 0 && y >= 0 && r <= width + 1 && t <= height + 1), `planes of ${told} stay inside`);
      boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
        holds(a[2] <= b[0] + 0.01 || b[2] <= a[0] + 0.01 || a[3] <= b[1] + 0.01 || b[3] <= a[1] + 0.01, `planes of ${told} do not overlap`);
      }));
    }
  }
  holds(c.place([block([2, 3])], { ...how, width: 900, height: 300 }).fits, "a small tensor fits");
  return failures;
}

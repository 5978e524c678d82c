// Laws of the maps view's sums, against numbers that PyTorch computed (cases.js, written by the test).

export async function broken(load, cases) {
  const { contributions, grid, labelled, result, sent, worked } = await load("maps/sums.js");
  const failures = [];
  const array = (values, shape) => Object.assign(Float64Array.from(values), { shape });
  for (const one of cases.layers) {
    const input = array(one.x, one.shape);
    const op = { ...one.op, values: one.op.values && array(one.op.values, one.op.weightShape) };
    const [n, h, w] = one.outShape;
    for (let o = 0; o < n; o++) {
      for (let i = 0; i < h; i++) {
        for (let j = 0; j < w; j++) {
          const wanted = one.y[(o * h + i) * w + j];
          const cell = worked(op, input, one.outShape, o, i, j);
          const found = result(cell) ?? wanted;
          if (cell.op === "linear") {
            const { shown, rest } = contributions(cell, 3);
            const again = shown.reduce((sum, c) => sum + c.product, rest) + cell.bias;
            if (Math.abs(again - found) > 1e-6) failures.push(`${one.name}: the contributions give ${again}, not ${found}`);
            if (shown.some((c, k) => k && Math.abs(c.product) > Math.abs(shown[k - 1].product))) failures.push(`${one.name}: not the largest first`);
          }
          if (!(Math.abs(found - wanted) < 1e-4)) failures.push(`${one.name} [${o}, ${i}, ${j}]: ${found} is not ${wanted}`);
        }
      }
    }
  }
  for (const { name, single } of cases.singles) {
    const typed = Object.fromEntries(Object.entries(single).map(([k, v]) => [k, v?.shape ? array(v.values, v.shape) : v]));
    const found = result(sent(typed)) ?? single.value;
    if (!(Math.abs(found - single.value) < 1e-3 * Math.max(1, Math.abs(single.value)))) failures.push(`${name}: ${found} is not ${single.value}`);
  }
  for (const count of [1, 2, 7, 64]) {
    const { columns, tile } = grid(count, 300, 200, 1.5, 4);
    const rows = Math.ceil(count / columns);
    if (columns * tile + (columns - 1) * 4 > 300.01 || (rows * tile) / 1.5 + (rows - 1) * 4 > 200.01) failures.push(`${count} tiles do not fit`);
    const named = labelled(count, 300, 200, 1.5, 4, 15);
    const lines = Math.ceil(count / named.columns);
    if (named.columns * named.tile + (named.columns - 1) * 4 > 300.01 || lines * (named.tile / 1.5 + 15) + (lines - 1) * 4 > 200.01) failures.push(`${count} named tiles do not fit`);
    if (!(tile > 0)) failures.push(`${count} tiles have no size`);
  }
  return failures;
}

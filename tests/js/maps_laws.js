// Laws of the maps view's sums, against numbers that PyTorch computed (cases.js, written by the test).

export async function broken(load, cases) {
  const { blocks, total, contributions, grid } = await load("maps/sums.js");
  const failures = [];
  const array = (values, shape) => Object.assign(Float64Array.from(values), { shape });
  for (const one of cases) {
    const input = array(one.x, one.shape);
    const op = { ...one.op, values: one.op.values && array(one.op.values, one.op.weightShape) };
    const [n, h, w] = one.outShape;
    for (let o = 0; o < n; o++) {
      for (let i = 0; i < h; i++) {
        for (let j = 0; j < w; j++) {
          const wanted = one.y[(o * h + i) * w + j];
          let found;
          if (op.op === "linear") {
            const { shown, rest } = contributions(op, input, o, 3);
            found = shown.reduce((sum, c) => sum + c.product, rest) + (op.bias ? op.bias[o] : 0);
            if (shown.some((c, k) => k && Math.abs(c.product) > Math.abs(shown[k - 1].product))) failures.push(`${one.name}: not the largest first`);
          } else found = total(op, blocks(op, input, o, i, j), o);
          if (!(Math.abs(found - wanted) < 1e-4)) failures.push(`${one.name} [${o}, ${i}, ${j}]: ${found} is not ${wanted}`);
        }
      }
    }
  }
  for (const count of [1, 2, 7, 64]) {
    const { columns, tile } = grid(count, 300, 200, 1.5, 4);
    const rows = Math.ceil(count / columns);
    if (columns * tile + (columns - 1) * 4 > 300.01 || (rows * tile) / 1.5 + (rows - 1) * 4 > 200.01) failures.push(`${count} tiles do not fit`);
    if (!(tile > 0)) failures.push(`${count} tiles have no size`);
  }
  return failures;
}

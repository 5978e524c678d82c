// Which cells belong together in a convolution or pooling; pure functions, tested with `node --test`.

export const NOTHING = -2;

/** Number at (channel, row, column) of an array with a `shape` of three. */
export function cell3(a, c, i, j) {
  const [, h, w] = a.shape;
  return a[(c * h + i) * w + j];
}

/** What each output channel reads: its input channels, and where its weights lie in the weight array. */
export function filters(data, out) {
  const { weight, groups, op, x } = data;
  if (!weight) return [{ channel: out, at: null }];
  const perGroup = x.shape[0] / groups;
  const outs = data.y.shape[0] / groups;
  const first = Math.floor(out / outs) * perGroup;
  return Array.from({ length: perGroup }, (_, i) => ({
    channel: first + i,
    at: op === "conv_transpose" ? [first + i, out % outs] : [out, i],
  }));
}

/** A weight as torch stores it, at filter place [a, b] and kernel cell (p, q); 1 where there are no weights. */
export function weightAt(data, at, p, q) {
  if (!at) return 1;
  const [, n, h, w] = data.weight.shape;
  return data.weight[((at[0] * n + at[1]) * h + p) * w + q];
}

/** Every product behind output cell (o, i, j), in the order of the weights. */
export function terms(data, o, i, j) {
  const [down, across] = data.windows;
  const [rows, columns] = data.sources;
  const [kh, kw] = [down.shape[1], across.shape[1]];
  const found = [];
  for (const { channel, at } of filters(data, o)) {
    for (let p = 0; p < kh; p++) {
      for (let q = 0; q < kw; q++) {
        const [pi, pj] = [down[i * kh + p], across[j * kw + q]];
        if (pi === NOTHING || pj === NOTHING) continue;
        const [si, sj] = [rows[pi], columns[pj]];
        const inside = si >= 0 && sj >= 0;
        found.push({
          channel,
          at,
          p,
          q,
          padded: [pi, pj],
          source: inside ? [si, sj] : null,
          value: inside ? cell3(data.x, channel, si, sj) : data.padValue === "0" ? 0 : -Infinity,
          weight: weightAt(data, at, p, q),
        });
      }
    }
  }
  return found;
}

/** Output cells that padded input cell (channel, pi, pj) reaches, each with the kernel cell that takes it there. */
export function reached(data, channel, pi, pj) {
  const [down, across] = data.windows;
  const hits = (table, at) => {
    const k = table.shape[1];
    const out = [];
    for (let n = 0; n < table.length; n++) if (table[n] === at) out.push([Math.floor(n / k), n % k]);
    return out;
  };
  const rows = hits(down, pi);
  const columns = hits(across, pj);
  const found = [];
  for (let o = 0; o < data.y.shape[0]; o++) {
    const filter = filters(data, o).find((f) => f.channel === channel);
    if (!filter) continue;
    for (const [i, p] of rows) for (const [j, q] of columns) found.push({ o, i, j, p, q, at: filter.at });
  }
  return found;
}

/** Padded input cells that kernel cell (p, q) multiplies while it slides. */
export function touched(data, p, q) {
  const column = (table, k) => {
    const n = table.shape[1];
    return [...new Set(Array.from({ length: table.shape[0] }, (_, i) => table[i * n + k]))].filter((v) => v !== NOTHING);
  };
  const [rows, columns] = [column(data.windows[0], p), column(data.windows[1], q)];
  return rows.flatMap((i) => columns.map((j) => [i, j]));
}

export const SIDE = 0.6; // cells between two planes side by side
export const BELOW = 0.8; // and one below the other

/**
 * The largest cell (pixels) at which all groups of planes fit side by side; sets each group's `gridRows` and `gridColumns`.
 * A group has `count` planes of `rows` × `columns` cells and is at least `least` pixels wide.
 */
export function largestCell(groups, width, height, most, least) {
  for (let cell = Math.floor(most); ; cell = cell > 6 ? cell - 1 : cell * 0.9) {
    let wide = 0;
    for (const k of groups) {
      const fits = Math.max(1, Math.floor((height / cell + BELOW) / (k.rows + BELOW)));
      k.gridColumns = Math.ceil(k.count / Math.min(fits, k.count));
      k.gridRows = Math.ceil(k.count / k.gridColumns);
      wide += Math.max(least, cell * (k.gridColumns * (k.columns + SIDE) - SIDE));
    }
    const high = Math.max(...groups.map((k) => cell * (k.gridRows * (k.rows + BELOW) - BELOW)));
    if ((wide <= width && high <= height) || cell < 1) return cell;
  }
}

/** The same for sequences: the groups stand one below the other, each plane one row, `between` pixels apart. */
export function largestRow(groups, width, height, most, between) {
  for (const k of groups) [k.gridColumns, k.gridRows] = [1, k.count];
  const widest = Math.max(...groups.map((k) => k.columns));
  const rows = groups.reduce((sum, k) => sum + k.count * (1 + BELOW) - BELOW, 0);
  return Math.max(1, Math.min(most, width / widest, (height - between * groups.length) / rows));
}

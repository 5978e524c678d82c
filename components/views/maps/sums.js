// How one number of a layer comes about; pure functions, tested with `node --test`.

/**
 * The products behind output cell (o, i, j) of a layer with window arithmetic (convolution, pooling).
 *
 *   op     what Python says of the layer: op, kernel, stride, padding, dilation, and values, bias, groups of a convolution
 *   input  its input, a flat array with a `shape` of (channels, height, width)
 *
 * Returns one block per input channel: {channel, rows, columns, x: numbers or null for padding, w: numbers or null, sum}.
 */
export function blocks(op, input, o, i, j) {
  const [channels, h, w] = input.shape;
  const [kh, kw] = op.kernel;
  const conv = op.op === "conv";
  const perGroup = conv ? channels / op.groups : 1;
  const outs = conv ? op.values.shape[0] / op.groups : 1;
  const first = conv ? Math.floor(o / outs) * perGroup : o;
  return Array.from({ length: perGroup }, (_, n) => {
    const channel = first + n;
    const x = [];
    const weights = conv ? [] : null;
    let sum = 0;
    for (let p = 0; p < kh; p++) {
      for (let q = 0; q < kw; q++) {
        const row = i * op.stride[0] - op.padding[0] + p * op.dilation[0];
        const column = j * op.stride[1] - op.padding[1] + q * op.dilation[1];
        const inside = row >= 0 && column >= 0 && row < h && column < w;
        const value = inside ? input[(channel * h + row) * w + column] : null;
        x.push(value);
        if (!conv) continue;
        const weight = op.values[((o * perGroup + n) * kh + p) * kw + q];
        weights.push(weight);
        sum += (value ?? 0) * weight;
      }
    }
    return { channel, rows: kh, columns: kw, x, w: weights, sum };
  });
}

/** The number those blocks give: the sum with its bias, the largest, or the mean (padding counts as 0). */
export function total(op, parts, o) {
  if (op.op === "conv") return parts.reduce((sum, part) => sum + part.sum, op.bias ? op.bias[o] : 0);
  const values = parts[0].x;
  if (op.op === "max") return Math.max(...values.map((v) => v ?? -Infinity));
  return values.reduce((sum, v) => sum + (v ?? 0), 0) / values.length;
}

/** The `most` largest contributions to output `o` of a linear layer: [{n, x, w, product}], and the sum of the rest. */
export function contributions(op, input, o, most) {
  const width = op.values.shape[1];
  const all = Array.from({ length: width }, (_, n) => {
    const w = op.values[o * width + n];
    return { n, x: input[n], w, product: input[n] * w };
  });
  const ranked = all.toSorted((a, b) => Math.abs(b.product) - Math.abs(a.product));
  return { shown: ranked.slice(0, most), rest: ranked.slice(most).reduce((sum, one) => sum + one.product, 0) };
}

/** Columns and tile size that fill `width` × `height` with `count` tiles of aspect `ratio` (width / height) best. */
export function grid(count, width, height, ratio, gap) {
  let best = { columns: 1, tile: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const across = (width - gap * (columns - 1)) / columns;
    const down = ((height - gap * (rows - 1)) / rows) * ratio;
    const tile = Math.min(across, down);
    if (tile > best.tile) best = { columns, tile };
  }
  return best;
}

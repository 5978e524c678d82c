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

/** The `most` largest contributions to an output of a linear layer: [{n, x, w, product}], and the sum of the rest. */
export function contributions({ x, w }, most) {
  const all = Array.from(w, (weight, n) => ({ n, x: x[n], w: weight, product: x[n] * weight }));
  const ranked = all.toSorted((a, b) => Math.abs(b.product) - Math.abs(a.product));
  return { shown: ranked.slice(0, most), rest: ranked.slice(most).reduce((sum, one) => sum + one.product, 0) };
}

/** Where window `k` of `outs` begins and ends over `n` cells, as adaptive pooling divides them. */
const share = (k, n, outs) => [Math.floor((k * n) / outs), Math.ceil(((k + 1) * n) / outs)];

/**
 * How output cell (o, i, j) of a layer comes about, in the one form that is drawn, spoken and summed:
 *   {op: "conv" | "max" | "mean", parts, bias}   windows, as `blocks` gives them
 *   {op: "linear", x, w, bias}                   all inputs and their weights, flat
 *   {op: "relu" | "same" | "function" | "norm", x, …}   one number in
 *
 *   out    shape of the layer's output
 */
export function worked(op, input, out, o, i, j) {
  const bias = op.bias ? op.bias[o] : 0;
  if (op.op === "linear") {
    const width = op.values.shape[1];
    return { op: "linear", x: input, w: op.values.subarray(o * width, (o + 1) * width), bias };
  }
  if (op.op === "adaptive") {
    const [, h, w] = input.shape;
    const [top, bottom] = share(i, h, out[1]);
    const [left, right] = share(j, w, out[2]);
    const x = [];
    for (let p = top; p < bottom; p++) for (let q = left; q < right; q++) x.push(input[(o * h + p) * w + q]);
    return { op: "mean", parts: [{ channel: o, rows: bottom - top, columns: right - left, x, w: null, sum: 0 }], bias };
  }
  if (op.kernel) return { op: op.op, parts: blocks(op, input, o, i, j), bias };
  const pick = (values) => (values ? values[o] : undefined);
  return { op: op.op, x: input[(o * out[1] + i) * out[2] + j], name: op.name, mean: pick(op.mean), deviation: pick(op.deviation), weight: pick(op.weight), bias };
}

/** The same from what the server sent of one number of a large network (`look.single`). */
export function sent(single) {
  if (!single.inside) return { ...single };
  const [rows, columns] = single.inside.shape;
  const cells = rows * columns;
  const parts = Array.from({ length: single.x.shape[0] }, (_, n) => {
    const x = Array.from({ length: cells }, (_, k) => (single.inside[k] ? single.x[n * cells + k] : null));
    const w = single.w ? Array.from(single.w.subarray(n * cells, (n + 1) * cells)) : null;
    return { channel: single.first + n, rows, columns, x, w, sum: w ? x.reduce((sum, v, k) => sum + (v ?? 0) * w[k], 0) : 0 };
  });
  return { op: single.op === "adaptive" ? "mean" : single.op, parts, bias: single.bias };
}

/** The number that a worked-out cell gives; null where only PyTorch's function knows it. */
export function result(cell) {
  if (cell.parts) return total({ op: cell.op, bias: [cell.bias] }, cell.parts, 0);
  if (cell.op === "linear") return cell.x.reduce((sum, v, n) => sum + v * cell.w[n], cell.bias);
  if (cell.op === "relu") return Math.max(0, cell.x);
  if (cell.op === "norm") return ((cell.x - cell.mean) / cell.deviation) * cell.weight + cell.bias;
  return cell.op === "same" ? cell.x : null;
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

/** The same for tiles that each have a line of text of height `label` above them. */
export function labelled(count, width, height, ratio, gap, label) {
  let best = { columns: 1, tile: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const across = (width - gap * (columns - 1)) / columns;
    const down = ((height - gap * (rows - 1)) / rows - label) * ratio;
    const tile = Math.min(across, down);
    if (tile > best.tile) best = { columns, tile };
  }
  return best;
}

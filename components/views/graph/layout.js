// Where the boxes of a layered graph go, from left to right: pure functions, tested with `node --test`.

const SWEEPS = 10;
const DUMMIES = 4000; // beyond, long edges are drawn straight

/**
 * Positions for `count` boxes and the edges [[from, to], …] between them.
 *
 * Returns { x, y } (centres), `paths` (per edge a list of [x, y] from right side to left side), `width`, `height`.
 * Every edge runs from left to right except those that close a cycle.
 */
export function layout(count, edges, { width, height, gapX, gapY }) {
  const forward = acyclic(count, edges);
  const rank = ranks(count, forward);
  const { layers, chains, owner, rankOf } = withDummies(count, forward, rank);
  const total = owner.length;
  const [before, after] = neighbours(total, forward, chains);
  order(layers, before, after);
  const tall = (n) => (n < count ? height : height * 0.3);
  const yAll = coordinates(layers, before, after, tall, gapY, total);
  const x = new Float64Array(count);
  const y = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    x[n] = rankOf[n] * (width + gapX) + width / 2;
    y[n] = yAll[n];
  }
  const at = (n) => [rankOf[n] * (width + gapX) + width / 2, yAll[n]];
  const paths = edges.map(([a, b], e) => {
    const reversed = forward[e] === null ? false : forward[e][0] !== a;
    const between = (chains[e] ?? []).map(at);
    if (reversed) between.reverse();
    const side = width / 2;
    return [[x[a] + side, y[a]], ...between.flatMap(([u, v]) => [[u - side * 0.8, v], [u + side * 0.8, v]]), [x[b] - side, y[b]]];
  });
  return {
    x,
    y,
    paths,
    width: (layers.length || 1) * (width + gapX) - gapX,
    height: Math.max(height, ...yAll.map((v, n) => v + tall(n) / 2)),
  };
}

/** The edges with those that close a cycle turned round, so that ranks exist; a loop onto itself is null. */
export function acyclic(count, edges) {
  const out = Array.from({ length: count }, () => []);
  edges.forEach(([a, b], e) => a !== b && out[a].push([b, e]));
  const state = new Uint8Array(count); // 0 new, 1 open, 2 done
  const turned = new Set();
  for (let start = 0; start < count; start++) {
    if (state[start]) continue;
    const stack = [[start, 0]];
    state[start] = 1;
    while (stack.length) {
      const top = stack[stack.length - 1];
      const [n, i] = top;
      if (i >= out[n].length) {
        state[n] = 2;
        stack.pop();
        continue;
      }
      top[1]++;
      const [m, e] = out[n][i];
      if (state[m] === 1) turned.add(e);
      else if (state[m] === 0) {
        state[m] = 1;
        stack.push([m, 0]);
      }
    }
  }
  return edges.map(([a, b], e) => (a === b ? null : turned.has(e) ? [b, a] : [a, b]));
}

/** Longest path from the left, then everything as far right as its first use lets it: leaves and loops' inputs stand where they matter. */
export function ranks(count, edges) {
  const into = Array.from({ length: count }, () => []);
  const out = Array.from({ length: count }, () => []);
  for (const edge of edges) {
    if (!edge) continue;
    into[edge[1]].push(edge[0]);
    out[edge[0]].push(edge[1]);
  }
  const rank = new Int32Array(count);
  const left = into.map((s) => s.length);
  const queue = [];
  for (let n = 0; n < count; n++) if (!left[n]) queue.push(n);
  for (let i = 0; i < queue.length; i++) {
    for (const m of out[queue[i]]) {
      rank[m] = Math.max(rank[m], rank[queue[i]] + 1);
      if (--left[m] === 0) queue.push(m);
    }
  }
  for (let i = queue.length - 1; i >= 0; i--) {
    const n = queue[i];
    if (out[n].length) rank[n] = Math.min(...out[n].map((m) => rank[m])) - 1;
  }
  return rank;
}

function withDummies(count, edges, rank) {
  const rankOf = Array.from(rank);
  const owner = Array.from({ length: count }, (_, n) => n);
  const chains = {};
  edges.forEach((edge, e) => {
    if (!edge) return;
    const [a, b] = edge;
    if (rank[b] - rank[a] < 2 || owner.length - count > DUMMIES) return;
    chains[e] = [];
    for (let r = rank[a] + 1; r < rank[b]; r++) {
      chains[e].push(owner.length);
      owner.push(-1);
      rankOf.push(r);
    }
  });
  const layers = [];
  rankOf.forEach((r, n) => (layers[r] ??= []).push(n));
  return { layers: Array.from(layers, (l) => l ?? []), chains, owner, rankOf };
}

function neighbours(total, edges, chains) {
  const before = Array.from({ length: total }, () => []);
  const after = Array.from({ length: total }, () => []);
  edges.forEach((edge, e) => {
    if (!edge) return;
    const way = [edge[0], ...(chains[e] ?? []), edge[1]];
    for (let i = 1; i < way.length; i++) {
      after[way[i - 1]].push(way[i]);
      before[way[i]].push(way[i - 1]);
    }
  });
  return [before, after];
}

/** Sort every layer by where its neighbours stand, there and back, and keep the order with the fewest crossings. */
function order(layers, before, after) {
  let best = layers.map((l) => l.slice());
  let fewest = crossings(layers, after);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    const place = new Map();
    layers.forEach((layer) => layer.forEach((n, i) => place.set(n, i)));
    const sequence = down ? layers.keys() : [...layers.keys()].reverse();
    for (const r of sequence) {
      const layer = layers[r];
      const near = down ? before : after;
      const weight = new Map(
        layer.map((n, i) => [n, near[n].length ? near[n].reduce((s, m) => s + place.get(m), 0) / near[n].length : i]),
      );
      layer.sort((a, b) => weight.get(a) - weight.get(b) || a - b);
      layer.forEach((n, i) => place.set(n, i));
    }
    const now = crossings(layers, after);
    if (now < fewest) {
      fewest = now;
      best = layers.map((l) => l.slice());
    }
  }
  best.forEach((layer, r) => (layers[r] = layer));
}

/** How many pairs of edges between neighbouring layers cross. */
export function crossings(layers, after) {
  let count = 0;
  for (let r = 0; r + 1 < layers.length; r++) {
    const place = new Map(layers[r + 1].map((n, i) => [n, i]));
    const ends = layers[r].flatMap((n) => after[n].map((m) => place.get(m)).filter((i) => i !== undefined).sort((a, b) => a - b));
    const tree = new Int32Array(layers[r + 1].length + 2); // inversions by a Fenwick tree
    for (let i = ends.length - 1; i >= 0; i--) {
      for (let k = ends[i]; k > 0; k -= k & -k) count += tree[k];
      for (let k = ends[i] + 1; k < tree.length; k += k & -k) tree[k]++;
    }
  }
  return count;
}

function coordinates(layers, before, after, tall, gap, total) {
  const y = new Array(total).fill(0);
  for (const layer of layers) {
    let next = 0;
    for (const n of layer) {
      y[n] = next + tall(n) / 2;
      next += tall(n) + gap;
    }
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const sequence = down ? [...layers.keys()] : [...layers.keys()].reverse();
    for (const r of sequence) {
      const layer = layers[r];
      const wish = layer.map((n) => {
        const near = sweep >= SWEEPS - 2 ? [...before[n], ...after[n]] : down ? before[n] : after[n];
        return near.length ? near.reduce((s, m) => s + y[m], 0) / near.length : y[n];
      });
      spread(layer, wish, tall, gap).forEach((v, i) => (y[layer[i]] = v));
    }
  }
  const top = Math.min(...y.map((v, n) => v - tall(n) / 2), Infinity);
  return y.map((v) => v - (Number.isFinite(top) ? top : 0));
}

/** The places nearest to the wished ones (least squares) that keep the order and the gaps. */
function spread(layer, wish, tall, gap) {
  const offset = [];
  layer.forEach((n, i) => offset.push(i ? offset[i - 1] + (tall(layer[i - 1]) + tall(n)) / 2 + gap : 0));
  const blocks = []; // pool adjacent violators
  wish.forEach((w, i) => {
    let block = { sum: w - offset[i], size: 1 };
    while (blocks.length && blocks[blocks.length - 1].sum / blocks[blocks.length - 1].size > block.sum / block.size) {
      const last = blocks.pop();
      block = { sum: last.sum + block.sum, size: last.size + block.size };
    }
    blocks.push(block);
  });
  const out = [];
  for (const { sum, size } of blocks) for (let k = 0; k < size; k++) out.push(sum / size + offset[out.length]);
  return out;
}

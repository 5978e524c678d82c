// Laws of the views' pure functions. Runs in Node (tests/test_views_js.py) and in the browser (tests/browser/test_views.py).

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
  const s = await load("shared/scale.js");
  const w = await load("shared/wire.js");
  const { Table } = await load("shared/feed.js");

  equal(s.ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1], "ticks of [0, 1]");
  equal(s.ticks(-0.1, 0.1, 2), [-0.1, 0, 0.1], "zero is a plain 0 among ticks");
  equal(s.ticks(-2.9, 3.7, 3), [-2, 0, 2], "two ticks at least");
  equal(s.ticks(3, 3), [3], "one value is one tick");
  equal(s.ticks(NaN, NaN), [], "no ticks without a domain");
  for (const [lo, hi] of [[0, 1e-9], [-5, 7], [1e8, 1e8 + 3], [0.1, 0.30000000000000004]]) {
    for (const n of [2, 5, 8]) {
      const t = s.ticks(lo, hi, n);
      holds(t.every((v) => v >= lo - 1e-12 && v <= hi + 1e-12), `ticks of ${lo}..${hi} stay inside`);
      holds(t.length >= 1 && t.length <= n + 2, `ticks of ${lo}..${hi} are about ${n}: ${t}`);
    }
  }
  equal(s.logTicks(0.001, 10, 8), [0.001, 0.01, 0.1, 1, 10], "powers of ten");
  equal(s.logTicks(0.15, 0.6), [0.2, 0.5], "2s and 5s when a decade is missing");
  equal(s.logTicks(0, 1), [], "no logarithm of zero");
  holds(s.logTicks(1e-30, 1e30, 5).length <= 6, "many decades stay few ticks");

  const words = [[0, "0"], [1, "1"], [-1.5, "−1.5"], [0.1 + 0.2, "0.3"], [123456, "123456"], [1e-7, "1e−7"], [1.25e9, "1.25e9"],
    [0.00012345, "0.0001234"], [0.0001, "0.0001"], [99999.5, "100000"], [NaN, "–"], [null, "–"], [Infinity, "∞"], [-Infinity, "−∞"]];
  for (const [v, text] of words) equal(s.number(v), text, `number(${v})`);
  equal([0.42, 12.4, 65, 3600, 7800, NaN].map(s.duration), ["0.4 s", "12 s", "1 min 05 s", "1 h 00 min", "2 h 10 min", "–"], "durations");
  equal(s.duration(59.7), "60 s", "just under a minute");
  equal(s.duration(3599.8), "1 h 00 min", "just under an hour");

  for (const log of [false, true]) {
    const f = s.scale([0.01, 100], [10, 210], log);
    holds(Math.abs(f(0.01) - 10) < 1e-9 && Math.abs(f(100) - 210) < 1e-9, "the ends map to the ends");
    for (const v of [0.01, 0.5, 33]) holds(Math.abs(f.invert(f(v)) / v - 1) < 1e-9, "invert undoes the scale");
  }
  equal([0, 1.4, 1.6, 99].map((x) => s.nearest([0, 1, 2, 3], x)), [0, 1, 2, 3], "nearest");
  equal(s.nearest([], 1), -1, "nearest of nothing");

  const xs = Array.from({ length: 10000 }, (_, i) => i);
  const ys = xs.map((i) => (i === 5000 ? 99 : i === 7000 ? NaN : i === 2500 ? -99 : Math.sin(i)));
  const kept = s.thin(xs, ys, 100);
  holds(kept.length <= 600, `10 000 points on 100 pixels become few: ${kept.length}`);
  for (const i of [0, 2500, 5000, 7000, 9999]) holds(kept.includes(i), `point ${i} (an end, a peak or a gap) survives thinning`);
  holds(kept.every((v, i) => i === 0 || v > kept[i - 1]), "thinned indices ascend");
  equal(s.thin([1, 2, 3], [1, 2, 3], 100), [0, 1, 2], "few points are not thinned");
  equal(s.thin([], [], 100), [], "no points stay none");
  const flat = s.thin(xs.map(() => 1), ys, 10);
  holds(flat.includes(5000), "equal x does not lose a peak");
  holds(s.thin(xs, xs.map(() => NaN), 10).length > 0, "all gaps stay gaps");

  equal(s.extent([[1, NaN, Infinity, 3]]), [0.9, 3.1], "extent ignores what is not finite");
  equal(s.extent([[]]), [0, 1], "extent of nothing");
  equal(s.extent([[NaN, -1]], { log: true }), [0.1, 1], "no positive number on a log axis");
  equal(s.extent([[0, 4]], { zero: true }), [0, 4.2], "zero stays the lower edge");
  holds(s.extent([[5, 5]])[0] < 5, "a constant gets room");
  equal([s.rgb("#fff"), s.rgb("#0072B2"), s.rgb("rgb(1, 2, 3)")], [[255, 255, 255], [0, 114, 178], [1, 2, 3]], "colours");
  const anchors = [[0, 0, 0], [100, 0, 0], [200, 50, 0]];
  equal([0, 0.5, 1, 2, -1, NaN, 0.25].map((t) => s.ramp(anchors, t)[0]), [0, 100, 200, 200, 0, 0, 50], "colour ramps");

  const data = btoa(String.fromCharCode(...new Uint8Array(new Float32Array([1.5, NaN, -Infinity]).buffer)));
  const decoded = w.decode({ a: [{ dtype: "float32", shape: [3], data }], data: "just text", n: null });
  equal(decoded.a[0].shape, [3], "arrays carry their shape");
  holds(Object.is(decoded.a[0][1], NaN) && decoded.a[0][2] === -Infinity, "NaN and infinity survive");
  equal([decoded.data, decoded.n], ["just text", null], "other values stay");

  const t = new Table();
  t.add([{ epoch: 1, step: 5, a: 1 }, { epoch: 2, step: 10, a: null, b: 7 }]);
  equal([t.length, ...t.column("b").map(String)], [2, "undefined", "7"], "a late column was not measured before");
  equal(t.column("a").map(String), ["1", "NaN"], "what was measured and is no number is a gap");
  t.add([{ epoch: 3, step: 15, a: 3 }]);
  t.add([{ epoch: 2, step: 10, a: 9 }]);
  equal([t.column("step"), t.column("a"), t.column("b").length], [[5, 10], [1, 9], 2], "going back replaces what came after");
  t.add([{ epoch: 0, step: 0, a: 0 }]);
  equal(t.column("step"), [0], "from the start replaces everything");
  return failures;
}

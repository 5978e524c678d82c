// Laws of the timeline's pure functions. Runs in Node (tests/test_speed_profile.py) and in the browser (tests/browser/test_speed.py).

let failures;

function holds(truth, what) {
  if (!truth) failures.push(what);
}

/** What is broken, as sentences; `load(path)` imports a module of components/views. */
export async function broken(load) {
  failures = [];
  const { duration, firstAfter, panned, rowsOf, visible, zoomed } = await load("timeline/layout.js");

  // random rows of events that do not overlap, tiny and long ones mixed
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let trial = 0; trial < 60; trial++) {
    const start = [];
    const lasts = [];
    let t = 0;
    for (let i = 0; i < 300; i++) {
      t += random() < 0.5 ? 0 : random() * 3;
      start.push(t);
      lasts.push(random() < 0.1 ? random() * 200 : random() * 0.2);
      t += lasts.at(-1);
    }
    const events = Int32Array.from(start.keys());
    const [from, to, width] = [random() * t * 0.5, t * (0.5 + random() * 0.5), 100 + Math.floor(random() * 900)];
    const per = width / (to - from);
    const drawn = [];
    const count = visible(events, start, lasts, from, to, width, (event, x0, x1) => drawn.push([event, x0, x1]));
    holds(count === drawn.length, "the count is what was drawn");
    holds(count <= 2 * width + 2, `${count} drawn on ${width} pixels`);
    holds(drawn.every(([, x0, x1]) => x0 >= 0 && x1 <= width && x1 >= x0), "drawn inside the screen");
    holds(drawn.every(([e], i) => !i || e > drawn[i - 1][0]), "drawn in order, none twice");
    const seen = new Set(drawn.map(([e]) => e));
    for (const e of events) {
      const [a, b] = [(start[e] - from) * per, (start[e] + lasts[e] - from) * per];
      if (b <= 0 || a >= width) holds(!seen.has(e) || b >= 0, "nothing outside is drawn");
      else if (b - a >= 2 && a >= 0 && b <= width) holds(seen.has(e), "every event of two pixels and more is drawn");
      else if (a >= 0 && b <= width) {
        holds(drawn.some(([, x0, x1]) => x0 < Math.floor(a) + 1.01 && Math.max(x1, x0 + 1) >= Math.floor(a) - 0.01), "what is smaller leaves a mark at its pixel");
      }
    }
    const at = random() * t;
    const first = firstAfter(events, start, lasts, at);
    holds(first === events.length || start[first] + lasts[first] > at, "the first after ends after");
    holds(first === 0 || start[first - 1] + lasts[first - 1] <= at, "the one before it does not");
  }

  const rows = rowsOf({ lane: [0, 1, 0, 0], depth: [0, 0, 1, 0], start: [0, 1, 2, 3] });
  holds(JSON.stringify(rows.map((r) => [r.lane, r.depth, [...r.events]])) === "[[0,0,[0,3]],[0,1,[2]],[1,0,[1]]]", "rows by lane, then depth");
  holds(rowsOf({ lane: [], depth: [], start: [] }).length === 0, "no events, no rows");

  const close = (a, b) => Math.abs(a - b) < 1e-9;
  const near = zoomed([20, 40], 0.5, 25, 100);
  holds(close(near[1] - near[0], 10) && close((25 - near[0]) / 10, 0.25), "zooming keeps the place under the pointer");
  holds(JSON.stringify(zoomed([20, 40], 100, 30, 100)) === "[0,100]", "never farther out than everything");
  holds(zoomed([20, 20.01], 0.001, 20, 100)[1] > 20, "never closer than the clock");
  holds(JSON.stringify(panned([20, 40], -50, 100)) === "[0,20]", "panning stops at the left end");
  holds(JSON.stringify(panned([20, 40], 500, 100)) === "[80,100]", "panning stops at the right end");
  holds(duration(1234) === "1.23 ms" && duration(12.345) === "12.3 µs" && duration(2e6) === "2.00 s", "durations");
  return failures;
}

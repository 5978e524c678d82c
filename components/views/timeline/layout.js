// Which events of a timeline are worth drawing: pure functions, tested with `node --test`.

/** The events as rows, one per lane and depth, each in order of time; `top` is the row's place from above. */
export function rowsOf({ lane, depth, start }) {
  const found = new Map();
  for (let i = 0; i < start.length; i++) {
    const key = lane[i] * 4096 + depth[i];
    if (!found.has(key)) found.set(key, { lane: lane[i], depth: depth[i], events: [] });
    found.get(key).events.push(i);
  }
  const rows = [...found.values()].sort((a, b) => a.lane - b.lane || a.depth - b.depth);
  rows.forEach((row) => { row.events = Int32Array.from(row.events); });
  return rows;
}

/** Position in `events` of the first one that ends after `time`; they do not overlap within a row. */
export function firstAfter(events, start, duration, time, lo = 0) {
  let hi = events.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (start[events[mid]] + duration[events[mid]] <= time) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

/**
 * Calls `draw(event, x0, x1)` for what can be seen of a row between the times `from` and `to` on `width` pixels.
 * Of events narrower than a pixel one per pixel is drawn, so the cost is that of the screen, not of the trace.
 */
export function visible(events, start, duration, from, to, width, draw) {
  const per = width / (to - from);
  let i = firstAfter(events, start, duration, from);
  let count = 0;
  while (i < events.length && start[events[i]] < to) {
    const event = events[i];
    const x0 = Math.max(0, (start[event] - from) * per);
    const x1 = Math.min(width, (start[event] + duration[event] - from) * per);
    draw(event, x0, x1);
    count++;
    i = x1 - x0 < 1 ? firstAfter(events, start, duration, from + (Math.floor(x0) + 1) / per, i + 1) : i + 1;
  }
  return count;
}

/** [from, to] zoomed by `factor` around `at`, inside [0, end] and not below `least`. */
export function zoomed([from, to], factor, at, end, least = 0.05) {
  const span = Math.min(end, Math.max(least, (to - from) * factor));
  return panned([at - ((at - from) / (to - from)) * span, at + ((to - at) / (to - from)) * span], 0, end);
}

/** [from, to] moved by `by`, as far as [0, end] allows. */
export function panned([from, to], by, end) {
  const span = Math.min(end, to - from);
  const start = Math.max(0, Math.min(end - span, from + by));
  return [start, start + span];
}

/** Microseconds as a person says them. */
export function duration(us) {
  if (us >= 1e6) return `${(us / 1e6).toPrecision(3)} s`;
  if (us >= 1e3) return `${(us / 1e3).toPrecision(3)} ms`;
  return `${Number(us.toPrecision(3))} µs`;
}

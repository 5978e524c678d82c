// Scales, ticks, number formatting and thinning: pure functions, tested with `node --test`.

/** A linear or logarithmic map from [lo, hi] to [a, b] pixels; `invert` goes back. */
export function scale([lo, hi], [a, b], log = false) {
  const f = log ? Math.log10 : (v) => v;
  const g = log ? (v) => 10 ** v : (v) => v;
  const [l, h] = [f(lo), f(hi)];
  const span = h - l || 1;
  const map = (v) => a + ((f(v) - l) / span) * (b - a);
  map.invert = (p) => g(l + ((p - a) / (b - a || 1)) * span);
  map.domain = [lo, hi];
  map.range = [a, b];
  map.log = log;
  return map;
}

/** Round numbers in [lo, hi], about `count` of them. */
export function ticks(lo, hi, count = 5) {
  if (!(hi > lo) || !Number.isFinite(hi - lo)) return Number.isFinite(lo) ? [lo] : [];
  const raw = (hi - lo) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const steps = [0.5, 1, 2, 5, 10].map((m) => m * power);
  const inside = (s) => Math.floor(hi / s + 1e-9) - Math.ceil(lo / s - 1e-9) + 1;
  let k = steps.findIndex((s) => s >= raw * 0.999);
  if (inside(steps[k]) < 2) k--; // one tick alone has no scale
  const step = steps[k];
  const first = Math.ceil(lo / step - 1e-9);
  const last = Math.floor(hi / step + 1e-9);
  const out = [];
  for (let i = first; i <= last; i++) out.push(i === 0 ? 0 : Number((i * step).toPrecision(12)));
  return out;
}

/** Powers of ten in [lo, hi] (every k-th when there are many), with 2s and 5s when there are few. */
export function logTicks(lo, hi, count = 5) {
  if (!(lo > 0) || !(hi >= lo)) return [];
  const a = Math.ceil(Math.log10(lo) - 1e-9);
  const b = Math.floor(Math.log10(hi) + 1e-9);
  const every = Math.max(1, Math.ceil((b - a + 1) / Math.max(1, count)));
  const out = [];
  for (let e = a; e <= b; e += every) out.push(Number(`1e${e}`));
  if (out.length >= 2) return out;
  for (let e = a - 1; e <= b; e++) {
    for (const m of [1, 2, 5]) {
      const v = Number(`${m}e${e}`);
      if (v >= lo * 0.999999 && v <= hi * 1.000001 && !out.includes(v)) out.push(v);
    }
  }
  if (out.length < 2) return ticks(lo, hi, Math.min(count, 3)).filter((v) => v > 0);
  return out.sort((p, q) => p - q);
}

/** `value` with `digits` significant digits, without trailing zeros; a real minus sign; "–" when missing. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  let text;
  if (size >= 1e6 || size < 1e-4) {
    const [m, e] = value.toExponential(Math.max(0, digits - 1)).split("e");
    text = `${trim(m)}e${Number(e)}`;
  } else if (Number.isInteger(value)) {
    text = String(value);
  } else {
    text = trim(Number(value.toPrecision(digits)).toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(size)))));
  }
  return text.replaceAll("-", "−");
}

function trim(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** Seconds as a person says them: "0.4 s", "12 s", "3 min 05 s", "2 h 10 min". */
export function duration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** Index of the entry of the ascending `xs` nearest to `x`; -1 when there is none. */
export function nearest(xs, x) {
  let lo = 0;
  let hi = xs.length - 1;
  if (hi < 0) return -1;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (xs[mid] < x) lo = mid + 1;
    else hi = mid;
  }
  return lo > 0 && x - xs[lo - 1] <= xs[lo] - x ? lo - 1 : lo;
}

/**
 * Indices that look the same on `width` pixels as all points do: first, lowest, highest and last of each
 * pixel column, gaps (a NaN) kept. `xs` ascends.
 */
export function thin(xs, ys, width) {
  const n = Math.min(xs.length, ys.length);
  if (n <= 2 * width) return Array.from({ length: n }, (_, i) => i);
  const per = (xs[n - 1] - xs[0]) / width || 1;
  const out = [];
  let i = 0;
  while (i < n) {
    const column = Math.floor((xs[i] - xs[0]) / per);
    let low = i;
    let high = i;
    let gap = -1;
    let last = i;
    for (; last < n && Math.floor((xs[last] - xs[0]) / per) === column; last++) {
      const y = ys[last];
      if (!Number.isFinite(y)) gap = last;
      else {
        if (!(y >= ys[low])) low = last;
        if (!(y <= ys[high])) high = last;
      }
    }
    const picks = new Set([i, low, high, last - 1]);
    if (gap >= 0) picks.add(gap);
    out.push(...[...picks].sort((p, q) => p - q));
    i = last;
  }
  return out;
}

/** Lowest and highest finite value of several arrays, widened a little; positive only for a log scale. */
export function extent(arrays, { log = false, zero = false } = {}) {
  let lo = Infinity;
  let hi = -Infinity;
  for (const array of arrays) {
    for (let i = 0; i < array.length; i++) {
      const v = array[i];
      if (!Number.isFinite(v) || (log && v <= 0)) continue;
      if (v < lo) lo = v;
      if (v > hi) hi = v;
    }
  }
  if (lo > hi) return log ? [0.1, 1] : [0, 1];
  if (log) return lo === hi ? [lo / 2, hi * 2] : [lo / (hi / lo) ** 0.05, hi * (hi / lo) ** 0.05];
  if (zero) {
    lo = Math.min(0, lo);
    hi = Math.max(0, hi);
  }
  if (lo === hi) {
    const pad = Math.abs(lo) * 0.1 || 1;
    return [lo - pad, hi + pad];
  }
  const pad = (hi - lo) * 0.05;
  return [zero && lo === 0 ? 0 : lo - pad, zero && hi === 0 ? 0 : hi + pad];
}

/** Colour between the anchors [[r,g,b], …] at t in [0, 1]; outside is clamped, NaN is the first anchor. */
export function ramp(anchors, t) {
  const u = Math.min(1, Math.max(0, t || 0)) * (anchors.length - 1);
  const i = Math.min(anchors.length - 2, Math.floor(u));
  const f = u - i;
  return [0, 1, 2].map((c) => Math.round(anchors[i][c] * (1 - f) + anchors[i + 1][c] * f));
}

/** "#rgb", "#rrggbb" or "rgb(…)" as [r, g, b]. */
export function rgb(color) {
  const text = color.trim();
  if (text.startsWith("#")) {
    const hex = text.length < 7 ? [...text.slice(1, 4)].map((c) => c + c).join("") : text.slice(1, 7);
    return [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
  }
  return (text.match(/[\d.]+/g) ?? [0, 0, 0]).slice(0, 3).map(Number);
}

/** Perceived lightness of [r, g, b] in [0, 1]. */
export function luminance([r, g, b]) {
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

/** Text that stays readable on the colour [r, g, b]. */
export function inkOn(color) {
  return luminance(color) > 0.5 ? "#111111" : "#ffffff";
}

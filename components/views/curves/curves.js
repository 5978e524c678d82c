// Line charts of a run as it learns, of finished runs, or of any columns: small multiples with a shared crosshair.

import { DASHES, SHAPES, axes, fit, margins, shape, swatch, tickValues } from "../shared/canvas.js";
import { extent, nearest, number, scale, thin } from "../shared/scale.js";
import { Tip, define, make } from "../shared/view.js";

const CSS = `
.panels { display: grid; gap: 0.5rem 1rem; flex: 1 1 0; min-height: 0; grid-auto-rows: 1fr; }
.panel { display: flex; flex-direction: column; min-width: 0; min-height: 0; }
.panel .title { font-weight: 600; }
.head { display: flex; align-items: flex-start; gap: 0.5em; }
.head .bar { flex: 1 1 0; min-width: 0; }
`;

export default define({
  css: CSS,
  create(ctx) {
    const grid = make("div", { class: "panels" });
    const spoken = make("div", { class: "spoken", role: "status" });
    ctx.root.append(grid, spoken);
    let panels = [];
    let layout = "";
    let runs = []; // {label, column(name), length}: what is drawn, the followed run first
    let names = []; // all column names
    let hover = null; // x under the crosshair, shared by all panels

    const here = { ctx, setHover, current: () => ({ runs, hover, data: ctx.data, mark: ctx.feed?.epoch ?? ctx.data.mark }) };

    function setHover(x, words) {
      hover = x;
      if (words) spoken.textContent = words;
      ctx.redraw();
    }

    function gather() {
      const own = ctx.feed?.table ?? fixed(ctx.data.columns ?? {});
      runs = [{ label: ctx.data.label, table: own, main: true }];
      for (const o of ctx.data.overlays ?? []) runs.push({ label: o.label, table: fixed(o.columns), main: false });
      names = columnNames();
      arrange();
    }

    const columnNames = () => [...new Set(runs.flatMap((r) => [...r.table.columns.keys()]))];

    function arrange() {
      const wanted = (ctx.data.panels ?? [])
        .map((p) => ({ ...p, series: expand(p.series, names, ctx.feed?.scene?.layers) }))
        .filter((p) => p.series.some((s) => !p.skip_zero || runs.some((r) => r.table.column(s.column).some((v) => v))));
      const key = JSON.stringify([wanted, runs.map((r) => r.label)]) + ctx.theme.key;
      if (key === layout) return;
      layout = key;
      const logs = new Map(panels.map((p) => [p.spec.title, p.log]));
      panels = wanted.map((spec) => new Panel(here, spec, logs.get(spec.title) ?? spec.log ?? false));
      grid.replaceChildren(...panels.map((p) => p.element));
      if (!panels.length) grid.append(make("div", { class: "note" }, ctx.data.empty ?? "Nothing to draw yet."));
    }

    return {
      update: gather,
      news(feed) {
        runs[0].table = feed.table;
        names = columnNames();
        arrange();
      },
      restyle() {
        arrange();
      },
      paint() {
        const width = ctx.root.clientWidth;
        const least = (ctx.data.min_width ?? 260) * (ctx.theme.rem / 16);
        const fitting = Math.max(1, Math.floor((width + 16) / (least + 16)));
        const most = Math.min(fitting, panels.length || 1);
        const columns = Math.ceil((panels.length || 1) / Math.ceil((panels.length || 1) / most));
        grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
        for (const panel of panels) panel.paint();
        const xs = runs[0]?.table.column(ctx.data.x) ?? [];
        ctx.root.dataset.rows = xs.length;
        ctx.root.dataset.last = xs.at(-1) ?? "";
      },
    };
  },
});

/** Columns given by Python as a table like a feed's. */
function fixed(columns) {
  const map = new Map(Object.entries(columns).map(([k, v]) => [k, Array.from(v, (y) => y ?? NaN)]));
  return { columns: map, column: (name) => map.get(name) ?? [] };
}

/**
 * Series with "ratio/*" replaced by one for each column of that prefix; absent columns are left out.
 * A column named by a number is that layer's, counted from 0 after the input.
 */
function expand(series, names, layers) {
  return series.flatMap((s) => {
    if (!s.column.endsWith("*")) return names.includes(s.column) ? [s] : [];
    const prefix = s.column.slice(0, -1);
    const label = (rest) => (/^\d+$/.test(rest) ? (layers?.[Number(rest) + 1]?.name ?? `layer ${Number(rest) + 1}`) : rest);
    return names.filter((n) => n.startsWith(prefix)).map((n) => ({ column: n, label: label(n.slice(prefix.length)) }));
  });
}

/** What is looked at in some epochs only is one line all the same: points without a measurement are left out. */
function measured(xs, ys) {
  if (!ys.includes(undefined)) return { xs, ys };
  const there = (_, i) => ys[i] !== undefined;
  return { xs: xs.filter(there), ys: ys.filter(there) };
}

class Panel {
  constructor(view, spec, log) {
    this.view = view;
    this.spec = spec;
    this.log = log;
    this.canvas = make("canvas", { tabindex: "0", role: "application" });
    this.toggle = make("button", { type: "button", onclick: () => this.flip() }, "Log");
    this.toggle.title = "Logarithmic vertical axis";
    this.legend = make("div", { class: "bar" });
    const area = make("div", { class: "fill" }, this.canvas);
    this.tip = new Tip(area);
    this.element = make("div", { class: "panel" }, make("div", { class: "head" }, this.legend, this.toggle), area);
    this.canvas.onpointermove = (e) => this.point(e.offsetX);
    this.canvas.onpointerdown = (e) => this.point(e.offsetX);
    this.canvas.onpointerleave = () => view.setHover(null);
    this.canvas.onblur = () => view.setHover(null);
    this.canvas.onkeydown = (e) => this.key(e);
    this.fillLegend();
  }

  flip() {
    this.log = !this.log;
    this.fillLegend();
    this.view.ctx.redraw();
  }

  /** Every line of this panel with its looks: colour and marker tell runs apart, dashes columns; alone, columns get all three. */
  lines() {
    const { runs, data } = this.view.current();
    const { categorical } = this.view.ctx.theme;
    const many = runs.length > 1;
    return runs.flatMap((run, r) =>
      this.spec.series.map((s, i) => {
        const look = many ? r : i + (this.spec.first ?? 0);
        return {
          ...measured(run.table.column(data.x), run.table.column(s.column)),
          label: many ? `${run.label ?? "this run"} · ${s.label ?? s.column}` : (s.label ?? s.column),
          color: categorical[look % categorical.length],
          marker: SHAPES[look % SHAPES.length],
          dash: DASHES[i % DASHES.length],
          wide: run.main,
        };
      }),
    );
  }

  fillLegend() {
    const { theme } = this.view.ctx;
    this.canvas.setAttribute("aria-label", `${this.spec.title}. Arrow keys read the values.`);
    this.toggle.setAttribute("aria-pressed", String(this.log));
    this.toggle.setAttribute("aria-label", `Log axis of ${this.spec.title}`);
    const item = (look, text) => make("span", { class: "item" }, swatch(theme, look), make("span", {}, text));
    const { runs } = this.view.current();
    const { series } = this.spec;
    const lines = this.lines();
    const items = runs.length === 1
      ? lines.map((l) => item(l, l.label))
      : [ // a run is a colour and a shape, a column a dash
          ...runs.map((run, r) => item({ ...lines[r * series.length], dash: [] }, run.label ?? "this run")),
          ...(series.length > 1 ? series.map((s, i) => item({ color: theme.text, dash: DASHES[i % DASHES.length] }, s.label ?? s.column)) : []),
        ];
    const lone = lines.length === 1 && series[0].label === this.spec.title;
    this.legend.replaceChildren(
      make("span", { class: "title" }, this.spec.title),
      ...(lone ? [] : items),
    );
  }

  point(x) {
    if (this.x) this.view.setHover(this.x.invert(x));
  }

  key(event) {
    const { runs, data, hover } = this.view.current();
    const xs = runs[0].table.column(data.x);
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") this.view.setHover(null);
    if (by === undefined || !xs.length) return;
    event.preventDefault();
    const from = hover === null ? (by > 0 ? -1 : xs.length) : nearest(xs, hover);
    const i = Math.min(xs.length - 1, Math.max(0, from + by));
    this.view.setHover(xs[i], this.read(xs[i]).join(", "));
  }

  /** The values at x, one text per line of the chart. */
  read(x) {
    const { data } = this.view.current();
    const out = [];
    for (const line of this.lines()) {
      const i = nearest(line.xs, x);
      if (i < 0) continue;
      if (!out.length) out.push(`${data.x_title ?? data.x} ${number(line.xs[i], 6)}`);
      out.push(`${line.label}  ${number(line.ys[i])}`);
    }
    return out;
  }

  paint() {
    const { ctx } = this.view;
    const { theme } = ctx;
    const { hover, data, mark } = this.view.current();
    const { g, width, height } = fit(this.canvas);
    const lines = this.lines();
    const drawn = lines.filter((l) => l.ys.some((y) => Number.isFinite(y) && (!this.log || y > 0)));
    const whole = this.view.current().runs.map((run) => run.table.column(data.x));
    const ahead = data.x === "epoch" ? (ctx.feed?.scene?.epochs ?? 0) : 0; // the axis stands still while a run grows
    const last = Math.max(1e-9, ahead, ...whole.map((all) => all.at(-1) ?? 0));
    const first = Math.min(...whole.map((all) => all[0] ?? 0));
    const log = this.log && drawn.length > 0;
    const domain = extent(lines.map((l) => l.ys), { log, zero: this.spec.zero });
    if (this.spec.range && !log) {
      domain[0] = Math.min(this.spec.range[0], domain[0]);
      domain[1] = Math.max(this.spec.range[1], Math.min(domain[1], this.spec.range[1]));
    }
    const yTicks = tickValues(domain, height - theme.small * 3.3, log, theme);
    const titles = { xTitle: data.x_title ?? data.x, yTitle: this.spec.y_title ?? "" };
    const m = margins(g, theme, yTicks, titles);
    const x = scale([first, last], [m.left, width - m.right]);
    const y = scale(domain, [height - m.bottom, m.top], log);
    this.x = x;
    if (width - m.left - m.right < 20 || height - m.bottom - m.top < 20) return;
    axes(g, theme, x, y, { ...titles, yTicks, xTicks: tickValues(x.domain, width - m.left, false, theme, true) });
    g.save();
    g.beginPath();
    g.rect(m.left - 1, m.top - 1, width - m.left - m.right + 2, height - m.top - m.bottom + 2);
    g.clip();
    if (mark !== null && mark !== undefined) this.rule(g, x(mark), y, theme.primary, [4, 3]);
    for (const line of lines.toReversed()) this.stroke(g, line, x, y, theme);
    const xs = lines[0]?.xs ?? [];
    if (hover !== null && xs.length) this.rule(g, x(xs[nearest(xs, hover)]), y, theme.axis, []);
    g.restore();
    if (hover === null || !lines.some((l) => l.xs.length)) this.tip.hide();
    else this.hoverAt(g, lines, x, y, hover);
  }

  rule(g, px, y, color, dash) {
    g.strokeStyle = color;
    g.lineWidth = this.view.ctx.theme.line * 0.75;
    g.setLineDash(dash);
    g.beginPath();
    g.moveTo(px, y.range[0]);
    g.lineTo(px, y.range[1]);
    g.stroke();
    g.setLineDash([]);
  }

  stroke(g, line, x, y, theme) {
    const picks = thin(line.xs, line.ys, Math.max(1, x.range[1] - x.range[0]));
    const ok = (i) => Number.isFinite(line.ys[i]) && (!y.log || line.ys[i] > 0);
    g.strokeStyle = g.fillStyle = line.color;
    g.lineWidth = theme.line * (line.wide ? 1 : 0.7);
    g.setLineDash(line.dash.map((d) => d * theme.line));
    g.lineJoin = "round";
    g.beginPath();
    let pen = false;
    for (const i of picks) {
      if (!ok(i)) pen = false;
      else if (pen) g.lineTo(x(line.xs[i]), y(line.ys[i]));
      else {
        g.moveTo(x(line.xs[i]), y(line.ys[i]));
        pen = true;
      }
    }
    g.stroke();
    g.setLineDash([]);
    const every = Math.max(1, Math.floor(picks.length / 6)); // a few markers, so that shapes tell lines apart
    for (let k = picks.length - 1; k >= 0; k -= every) {
      if (!ok(picks[k])) continue;
      shape(g, line.marker, x(line.xs[picks[k]]), y(line.ys[picks[k]]), theme.rem * 0.22);
      g.fill();
    }
  }

  hoverAt(g, lines, x, y, hover) {
    const { theme } = this.view.ctx;
    let at = null;
    for (const line of lines) {
      const i = nearest(line.xs, hover);
      if (i < 0 || !Number.isFinite(line.ys[i]) || (y.log && line.ys[i] <= 0)) continue;
      at = x(line.xs[i]);
      g.fillStyle = line.color;
      g.strokeStyle = theme.background;
      g.lineWidth = 1.5;
      shape(g, line.marker, at, y(line.ys[i]), theme.rem * 0.3);
      g.fill();
      g.stroke();
    }
    this.tip.show(at ?? x(hover), this.canvas.clientHeight / 2, this.read(hover));
  }
}

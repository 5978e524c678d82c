// The plane of two inputs: what the model says everywhere, and the points it learns from.

import { DASHES, SHAPES, axes, fit, margins, picture, pixel, shape, swatch, table, tickValues } from "../shared/canvas.js";
import { number, rgb, scale } from "../shared/scale.js";
import { css } from "../shared/theme.js";
import { Tip, define, make } from "../shared/view.js";

const CSS = `
.plane-field { width: 4.5em; }
.edit { cursor: crosshair; }
`;
const SPLITS = ["train", "validation", "test"];

export default define({
  css: CSS,
  create(ctx) {
    const canvas = make("canvas", { tabindex: "0", role: "application" });
    const tools = make("div", { class: "bar", role: "toolbar" });
    const area = make("div", { class: "fill" }, canvas);
    const note = make("div", { class: "note", hidden: "" });
    const legend = make("div", { class: "bar" });
    const spoken = make("div", { class: "spoken", role: "status" });
    area.append(note);
    ctx.root.append(tools, area, legend, spoken);
    const tip = new Tip(area);
    const values = document.createElement("canvas"); // the plane, one pixel per cell
    const dots = document.createElement("canvas"); // the points: change only with the scene
    let dotsKey = "";
    let toolsKey = "";
    let scene = null;
    let shown = null;
    let painted = null; // what `values` holds now
    let x = null;
    let y = null;
    let mode = 0; // class to add, or "remove"
    let cursor = null; // crosshair of the keyboard, in data units
    let pointer = null;
    let pending = []; // added here, not yet in the scene

    const kind = () => scene?.task ?? "classification";
    const classes = () => scene?.classes ?? [];
    const isClasses = () => kind() === "classification";

    /** Colour of a predicted or true number in [lo, hi]: diverging around zero when it changes sign. */
    function ofNumber(v) {
      const [lo, hi] = range();
      if (lo < 0 && hi > 0) return ctx.theme.diverging(v / Math.max(-lo, hi));
      return ctx.theme.sequential((v - lo) / (hi - lo || 1));
    }

    function range() {
      const p = shown?.plane;
      if (p && p.kind === "regression") return [p.lo, p.hi];
      return scene?.range ?? [-1, 1];
    }

    function ofClass(c) {
      if (classes().length === 2) return c ? ctx.theme.positive : ctx.theme.negative;
      return ctx.theme.categorical[c % ctx.theme.categorical.length];
    }

    function ofPoint(v) {
      return isClasses() ? ofClass(v) : css(ofNumber(v));
    }

    function valueAt(u) {
      const p = shown.plane;
      const lo = p.lo ?? 0;
      const hi = p.hi ?? 1;
      return lo + (u / 255) * (hi - lo);
    }

    function paintValues() {
      const p = shown.plane;
      const mark = [p, ctx.theme.key];
      if (painted && painted[0] === mark[0] && painted[1] === mark[1]) return;
      painted = mark;
      const [n, m] = p.values.shape;
      if (p.kind === "classes") {
        const shades = classes().map((_, c) => {
          const [r, g, b] = rgb(ofClass(c));
          return table((t) => [r, g, b].map((v, i) => Math.round(ctx.theme.paper[i] * (0.9 - 0.5 * t) + v * (0.1 + 0.5 * t))));
        });
        picture(values, p.values, n, m, (i, b) => shades[b[i] % shades.length]?.[p.confidence ? p.confidence[i] : 190] ?? 0);
        return;
      }
      const lo = valueAt(0);
      const hi = valueAt(255);
      const middle = lo >= 0 && hi <= 1 ? 0.5 : 0;
      const reach = Math.max(hi - middle, middle - lo) || 1;
      const colors = Uint32Array.from({ length: 256 }, (_, u) => {
        const v = valueAt(u);
        return pixel(p.kind === "binary" ? ctx.theme.diverging(((v - middle) / reach) * 0.65) : ofNumber(v));
      });
      picture(values, p.values, n, m, (i, b) => colors[b[i]]);
    }

    /** One input column: the model's answer as a line, one per class where there are classes. */
    function paintLine(g) {
      const { x: xs, values: ys } = shown.line;
      const outputs = ys.length / xs.length;
      const top = isClasses() ? Math.max(1, classes().length - 1) : 1; // a probability of 1 stands at the last class
      g.lineWidth = ctx.theme.line * 1.4;
      for (let o = 0; o < outputs; o++) {
        if (isClasses() && outputs === 2 && o === 0) continue; // the other one mirrors it
        g.strokeStyle = isClasses() ? ofClass(outputs === 1 ? 1 : o) : ctx.theme.primary;
        g.setLineDash(DASHES[outputs > 2 ? o % DASHES.length : 0].map((d) => d * ctx.theme.line));
        g.beginPath();
        for (let i = 0; i < xs.length; i++) g.lineTo(x(xs[i]), y(ys[i * outputs + o] * top));
        g.stroke();
      }
      g.setLineDash([]);
    }

    function paintDots(width, height) {
      const key = [width, height, ctx.theme.key, x.domain, y.domain, range(), devicePixelRatio].join("|");
      if (dotsKey === key && dots.scene === scene) return;
      dotsKey = key;
      dots.scene = scene;
      const ratio = window.devicePixelRatio || 1;
      [dots.width, dots.height] = [width * ratio, height * ratio];
      const g = dots.getContext("2d");
      g.scale(ratio, ratio);
      const points = scene?.points;
      if (!points) return;
      const r = radius(points.y.length);
      for (const s of [2, 1, 0]) {
        for (let i = 0; i < points.y.length; i++) if ((points.split?.[i] ?? 0) === s) dot(g, i, r);
      }
    }

    function radius(count) {
      return ctx.theme.rem * (count > 2000 ? 0.14 : count > 600 ? 0.19 : 0.25);
    }

    function dot(g, i, r) {
      const { x: xy, y: label, split } = scene.points;
      mark(g, xy[2 * i], xy[2 * i + 1], label[i], split?.[i] ?? 0, r);
    }

    function mark(g, px, py, label, split, r) {
      shape(g, SHAPES[split], x(px), y(py), r);
      g.fillStyle = ofPoint(label);
      g.fill();
      g.lineWidth = Math.max(1, r * 0.3);
      g.strokeStyle = isClasses() ? ctx.theme.background : ctx.theme.muted;
      g.stroke();
    }

    function paint() {
      const { g, width, height } = fit(canvas);
      const { theme } = ctx;
      const plane = shown?.plane;
      const waiting = !scene?.extent && !plane;
      note.hidden = !waiting;
      if (waiting) {
        note.textContent = ctx.data.empty ?? "Waiting for the first picture.";
        return;
      }
      const [x0, x1, y0, y1] = scene?.extent ?? [-1, 1, -1, 1];
      const [xTitle, yTitle] = scene?.axes ?? ["x₁", "x₂"];
      const yTicks = tickValues([y0, y1], height - theme.small * 3.3, false, theme);
      const m = margins(g, theme, yTicks, { xTitle, yTitle });
      let [w, h] = [width - m.left - m.right, height - m.top - m.bottom];
      if (ctx.data.square) w = h = Math.min(w, h);
      if (w < 20 || h < 20) return;
      const left = m.left + (width - m.left - m.right - w) / 2;
      x = scale([x0, x1], [left, left + w]);
      y = scale([y0, y1], [m.top + h, m.top]);
      axes(g, theme, x, y, { xTitle, yTitle, yTicks, xTicks: tickValues([x0, x1], w, false, theme, true) });
      g.save();
      g.beginPath();
      g.rect(left, m.top, w, h);
      g.clip();
      if (plane) {
        paintValues();
        g.imageSmoothingEnabled = true;
        g.imageSmoothingQuality = "high";
        g.drawImage(values, left, m.top, w, h);
      }
      if (shown?.line) paintLine(g);
      paintDots(width, height);
      g.drawImage(dots, 0, 0, width, height);
      const count = scene?.points?.y.length ?? 0;
      const r = radius(count);
      for (const p of pending) mark(g, p.x, p.y, p.label, 0, r);
      if (shown?.batch?.length && count) {
        for (const i of shown.batch) {
          if (i >= count) continue;
          dot(g, i, r * 1.25);
          g.lineWidth = theme.line;
          g.strokeStyle = theme.text;
          shape(g, "circle", x(scene.points.x[2 * i]), y(scene.points.x[2 * i + 1]), r * 1.9);
          g.stroke();
        }
      }
      if (cursor) {
        g.strokeStyle = theme.text;
        g.lineWidth = 1;
        g.setLineDash([3, 3]);
        g.beginPath();
        g.moveTo(x(cursor[0]), m.top);
        g.lineTo(x(cursor[0]), m.top + h);
        g.moveTo(left, y(cursor[1]));
        g.lineTo(left + w, y(cursor[1]));
        g.stroke();
        g.setLineDash([]);
      }
      g.restore();
      const at = cursor ?? pointer;
      if (at && at[0] >= x0 && at[0] <= x1 && at[1] >= y0 && at[1] <= y1) tip.show(x(at[0]), y(at[1]), read(at));
      else tip.hide();
      canvas.setAttribute("aria-label", `${ctx.alt} Arrow keys move a crosshair that reads the picture.`);
      ctx.root.dataset.epoch = shown?.epoch ?? "";
      ctx.root.dataset.points = count + pending.length;
      ctx.root.dataset.box = JSON.stringify([left, m.top, w, h].map(Math.round));
    }

    /** What is at a place: the point there, and what the model says. */
    function read([px, py]) {
      const [xTitle, yTitle] = scene?.axes ?? ["x₁", "x₂"];
      const lines = [];
      const i = closest(px, py, 12);
      if (i >= 0) {
        const label = scene.points.y[i];
        const truth = isClasses() ? (classes()[label] ?? label) : number(label);
        lines.push(`point ${i}: ${truth} (${SPLITS[scene.points.split?.[i] ?? 0]})`);
        [px, py] = [scene.points.x[2 * i], scene.points.x[2 * i + 1]];
      }
      lines.push(`${xTitle} ${number(px, 3)}`, `${yTitle} ${number(py, 3)}`);
      const p = shown?.plane;
      if (p) {
        const [n, m] = p.values.shape;
        const col = Math.min(m - 1, Math.max(0, Math.floor(((px - x.domain[0]) / (x.domain[1] - x.domain[0])) * m)));
        const row = Math.min(n - 1, Math.max(0, Math.floor(((py - y.domain[0]) / (y.domain[1] - y.domain[0])) * n)));
        const u = p.values[row * m + col];
        if (p.kind === "classes") {
          const sure = p.confidence ? ` (${Math.round((p.confidence[row * m + col] / 255) * 100)} %)` : "";
          lines.push(`model: ${classes()[u] ?? u}${sure}`);
        } else if (p.kind === "binary") lines.push(`model: ${classes()[1] ?? "1"} ${number(valueAt(u), 2)}`);
        else lines.push(`model: ${number(valueAt(u), 3)}`);
      }
      return lines;
    }

    function closest(px, py, within = Infinity) {
      const xy = scene?.points?.x;
      let best = -1;
      let least = within ** 2;
      for (let i = 0; xy && i < xy.length / 2; i++) {
        const d = (x(xy[2 * i]) - x(px)) ** 2 + (y(xy[2 * i + 1]) - y(py)) ** 2;
        if (d < least) [best, least] = [i, d];
      }
      return best;
    }

    function act([px, py], remove) {
      if (!ctx.data.editable || !x) return;
      if (px < x.domain[0] || px > x.domain[1] || py < y.domain[0] || py > y.domain[1]) return;
      if (remove || mode === "remove") {
        const i = closest(px, py, 40);
        if (i >= 0) ctx.send("edit", { action: "remove", index: i, x: scene.points.x[2 * i], y: scene.points.x[2 * i + 1], label: scene.points.y[i] });
        return;
      }
      const field = tools.querySelector("input");
      const label = field ? Number(field.value) : mode;
      if (!Number.isFinite(label)) return;
      pending.push({ x: px, y: py, label });
      ctx.send("edit", { action: "add", index: null, x: px, y: py, label });
      ctx.redraw();
    }

    const place = (e) => (x ? [x.invert(e.offsetX), y.invert(e.offsetY)] : null);
    canvas.onpointermove = (e) => {
      [pointer, cursor] = [place(e), null];
      ctx.redraw();
    };
    canvas.onpointerleave = () => {
      pointer = null;
      ctx.redraw();
    };
    canvas.onclick = (e) => {
      const at = place(e);
      if (at) act(at, e.shiftKey);
    };
    canvas.onblur = () => {
      cursor = null;
      ctx.redraw();
    };
    canvas.onkeydown = (e) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
      if (!x) return;
      const [[x0, x1], [y0, y1]] = [x.domain, y.domain];
      if (by) {
        e.preventDefault();
        const step = e.shiftKey ? 10 : 2; // per cent of the axis
        const from = cursor ?? [(x0 + x1) / 2, (y0 + y1) / 2];
        cursor = [
          Math.min(x1, Math.max(x0, from[0] + (by[0] * step * (x1 - x0)) / 100)),
          Math.min(y1, Math.max(y0, from[1] + (by[1] * step * (y1 - y0)) / 100)),
        ];
        spoken.textContent = read(cursor).join(", ");
      } else if ((e.key === "Enter" || e.key === "Delete") && cursor) act(cursor, e.key === "Delete" || e.shiftKey);
      else if (e.key === "Escape") cursor = null;
      ctx.redraw();
    };

    /** Legend and tools: built again only when the scene or the theme changed. */
    function furnish() {
      const key = JSON.stringify([classes(), kind(), range(), ctx.data.editable, mode, scene?.axes]) + ctx.theme.key;
      if (key === toolsKey) return;
      toolsKey = key;
      const { theme } = ctx;
      const item = (look, text) => make("span", { class: "item" }, swatch(theme, { width: 1.2, ...look }), make("span", {}, text));
      const parts = isClasses() ? classes().map((name, c) => item({ color: ofClass(c), marker: "bar" }, name)) : [colorBar()];
      const splits = [0, 1, 2].filter((s) => !scene?.points?.split || scene.points.split.includes(s));
      if (scene?.points) parts.push(...splits.map((s) => item({ color: theme.muted, marker: SHAPES[s] }, SPLITS[s])));
      legend.replaceChildren(...parts);
      canvas.classList.toggle("edit", Boolean(ctx.data.editable));
      tools.hidden = !ctx.data.editable;
      if (!ctx.data.editable) return;
      const press = (value, text, look) =>
        make("button", { type: "button", class: "item", "aria-pressed": String(mode === value), onclick: () => choose(value) },
          look ? swatch(theme, { width: 1, ...look }) : null, text);
      const adders = isClasses()
        ? classes().map((name, c) => press(c, `Add ${name}`, { color: ofClass(c), marker: "circle" }))
        : [press(0, "Add"), make("label", { class: "item" }, "Value ", make("input", { type: "number", step: "any", value: tools.querySelector("input")?.value ?? "1", class: "plane-field" }))];
      tools.replaceChildren(...adders, press("remove", "Remove"));
      tools.setAttribute("aria-label", "What a click on the plane does");
    }

    function choose(value) {
      mode = value;
      furnish();
    }

    function colorBar() {
      const { theme } = ctx;
      const [lo, hi] = range();
      const stops = Array.from({ length: 9 }, (_, i) => css(ofNumber(lo + (i / 8) * (hi - lo))));
      const strip = make("span", { "aria-hidden": "true" });
      strip.style.cssText = `width:7em;height:1em;border:1px solid ${theme.axis};background:linear-gradient(90deg,${stops})`;
      return make("span", { class: "item" }, make("span", {}, number(lo, 3)), strip, make("span", {}, `${number(hi, 3)} ${scene?.target ?? ""}`));
    }

    function take(newScene, frame) {
      if (newScene !== scene) pending = [];
      scene = newScene;
      shown = frame;
      furnish();
    }

    return {
      update(data) {
        pending = [];
        if (!ctx.feed) take(data.scene ?? null, data.frame ?? null);
        furnish();
      },
      news(feed) {
        take(feed.scene, feed.shown);
      },
      restyle: furnish,
      paint,
    };
  },
});

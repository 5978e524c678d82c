// Memory is a line of cells; a tensor is a way of walking along it: offset, then strides.

import { clip, fit } from "../shared/canvas.js";
import { button, player } from "../shared/player.js";
import { inkOn, number } from "../shared/scale.js";
import { css } from "../shared/theme.js";
import { define, make } from "../shared/view.js";

const CSS = `.said { min-height: 1.6em; font-size: max(13px, 0.9rem); font-variant-numeric: tabular-nums; }`;

/** The theme with the size of small text raised to what the back row can read. */
const legible = (theme) => (theme.rem > 20 ? { ...theme, small: Math.max(18, theme.small) } : theme);

export default define({
  css: CSS,
  create(ctx) {
    const canvas = make("canvas", { tabindex: "0", role: "application" });
    const area = make("div", { class: "fill" }, canvas);
    const said = make("div", { class: "said", role: "status", "aria-live": "polite" });
    const choose = make("span", { class: "item", role: "group", "aria-label": "Whose path" });
    const walker = player({ what: "walk through memory", start: 1, home: () => go(0), move: (by) => go(at + by) });
    const { stop, toggle, step } = walker;
    ctx.root.append(make("div", { class: "bar" }, ...walker.items, choose), area, said);
    let data = null;
    let chosen = 0;
    let at = 0;

    const view = () => data.views[chosen];

    function go(n) {
      const total = view().path.length;
      at = total ? ((n % total) + total) % total : 0;
      show();
    }

    function unravel(flat, shape) {
      const out = [];
      for (let d = shape.length - 1; d >= 0; d--) {
        out.unshift(flat % shape[d]);
        flat = Math.floor(flat / shape[d]);
      }
      return out;
    }

    function tell() {
      const v = view();
      if (!v.path.length) {
        said.textContent = `${v.name} has ${v.shape.join(" × ") || 1} cells: too many, or none, to draw its path.`;
        return;
      }
      const index = unravel(at, v.shape);
      const sum = index.map((i, d) => `${i}·${v.stride[d]}`).join(" + ");
      const place = v.path[at];
      const who = data.views.filter((o) => o.path.includes(place)).map((o) => o.name);
      said.textContent = `${v.name}[${index.join(", ")}] is memory cell ${v.offset}${sum ? ` + ${sum}` : ""} = ${place}`
        + (who.length > 1 ? `, shared by ${who.join(", ")}` : "");
    }

    function paint() {
      if (!data) return;
      const { g, width, height } = fit(canvas);
      const theme = legible(ctx.theme);
      const least = theme.rem > 20 ? 18 : 11;
      const label = theme.small * 7;
      const count = Math.max(1, data.cells);
      const perRow = Math.max(1, Math.min(count, Math.floor((width - label) / (least * 2.4))));
      const lines = Math.ceil(count / perRow);
      const w = Math.min(theme.small * 4, (width - label - 4) / perRow);
      const rowsEach = 1 + data.views.length;
      const h = Math.max(least * 1.35, Math.min(theme.small * 2.2, (height - 6) / (lines * (rowsEach + 0.9))));
      const v = view();
      const now = v.path[at];
      const limit = data.values.reduce((m, x) => (Number.isFinite(x) ? Math.max(m, Math.abs(x)) : m), 0) || 1;
      const before = new Set(v.path.slice(0, at + 1));
      for (let line = 0; line < lines; line++) {
        const y = 2 + line * h * (rowsEach + 0.9);
        if (y > height) break;
        g.font = theme.font(Math.max(least, Math.min(theme.small, h * 0.7)), 600);
        g.textBaseline = "middle";
        g.textAlign = "left";
        g.fillStyle = theme.text;
        g.fillText(clip(g, line ? "" : "memory", label - 6), 2, y + h / 2);
        for (let c = 0; c < perRow; c++) {
          const cell = line * perRow + c;
          if (cell >= data.cells) break;
          const x = label + c * w;
          const value = data.values[cell];
          const color = theme.diverging(Number.isFinite(value) ? Math.max(-1, Math.min(1, value / limit)) : 0);
          g.fillStyle = data.values.length ? css(color) : theme.panel;
          g.fillRect(x, y, w - 1, h - 1);
          if (data.values.length) {
            g.fillStyle = inkOn(color);
            g.textAlign = "center";
            g.font = theme.font(Math.max(least, Math.min(theme.small, h * 0.7)));
            g.fillText(clip(g, Number.isFinite(value) ? number(value, 3) : value === null || Number.isNaN(value) ? "NaN" : "∞", w - 2), x + w / 2, y + h / 2);
          }
          if (cell === now) {
            g.strokeStyle = theme.text;
            g.lineWidth = theme.line * 1.6;
            g.strokeRect(x + 1, y + 1, w - 3, h - 3);
          }
        }
        data.views.forEach((o, n) => {
          const top = y + h * (1.15 + n);
          g.font = theme.font(Math.max(least, Math.min(theme.small, h * 0.7)), n === chosen ? 700 : 400);
          g.textAlign = "left";
          g.fillStyle = theme.text;
          if (!line) g.fillText(clip(g, `${o.name} (${o.shape.join(", ")})`, label - 6), 2, top + h / 2);
          const order = new Map();
          o.path.forEach((place, k) => order.set(place, [...(order.get(place) ?? []), k]));
          for (let c = 0; c < perRow; c++) {
            const cell = line * perRow + c;
            const k = order.get(cell);
            if (!k) continue;
            const x = label + c * w;
            g.fillStyle = theme.categorical[n % theme.categorical.length];
            g.globalAlpha = n === chosen ? (before.has(cell) ? 0.55 : 0.25) : 0.14;
            g.fillRect(x, top, w - 1, h * 0.85);
            g.globalAlpha = 1;
            g.fillStyle = theme.text;
            g.textAlign = "center";
            const text = k.length > 2 ? `${k[0]}…${k.at(-1)}` : k.join(",");
            g.fillText(clip(g, text, w - 2), x + w / 2, top + h * 0.43);
          }
        });
      }
      canvas.setAttribute("aria-label", `${ctx.alt} Arrow keys step, space plays.`);
      ctx.root.dataset.at = String(now ?? "");
    }

    function show() {
      tell();
      ctx.redraw();
    }

    canvas.onkeydown = (e) => {
      if (e.key === "ArrowRight" || e.key === "ArrowDown") step(1);
      else if (e.key === "ArrowLeft" || e.key === "ArrowUp") step(-1);
      else if (e.key === " ") toggle();
      else return;
      e.preventDefault();
    };

    return {
      update(next) {
        data = next;
        if (chosen >= data.views.length) chosen = 0;
        choose.replaceChildren(...data.views.map((v, n) => {
          const b = button(v.kind === "numpy" ? `${v.name} (NumPy)` : v.name, `Path of ${v.name}`, () => {
            stop();
            chosen = n;
            at = 0;
            [...choose.children].forEach((c, i) => c.setAttribute("aria-pressed", String(i === n)));
            show();
          });
          b.setAttribute("aria-pressed", String(n === chosen));
          return b;
        }));
        go(at);
      },
      paint,
      stop,
    };
  },
});

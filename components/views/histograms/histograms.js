// How the numbers of each layer are spread: its weights and their gradients.

import { axes, clip, fit, margins } from "../shared/canvas.js";
import { number, scale, ticks } from "../shared/scale.js";
import { Tip, define, make } from "../shared/view.js";

export default define({
  create(ctx) {
    const canvas = make("canvas", { tabindex: "0", role: "application" });
    const area = make("div", { class: "fill" }, canvas);
    const note = make("div", { class: "note", hidden: "" });
    const spoken = make("div", { class: "spoken", role: "status" });
    area.append(note);
    ctx.root.append(area, spoken);
    const tip = new Tip(area);
    let shown = null;
    let cells = []; // {kind, name, lo, hi, counts, x, y} of the last paint
    let at = null; // {cell, bin}

    function gather() {
      const all = shown?.histograms ?? {};
      return Object.entries(all).flatMap(([kind, list]) => (list ?? []).map((h) => spread(kind, h)));
    }

    function spread(kind, { name, lo, hi, counts }) {
      const one = hi > lo ? {} : { lo: lo - 0.5, hi: lo + 0.5, counts: [counts.reduce((a, b) => a + b, 0)] };
      return { kind, name: name.replace(/\.weight$/, ""), lo, hi, counts, ...one };
    }

    function paint() {
      const { g, width, height } = fit(canvas);
      const { theme } = ctx;
      cells = gather();
      note.hidden = cells.length > 0;
      canvas.setAttribute("aria-label", `${ctx.alt} Arrow keys read the bars.`);
      if (!cells.length) {
        note.textContent = ctx.data.empty ?? "Waiting for the first picture.";
        return;
      }
      const kinds = [...new Set(cells.map((c) => c.kind))];
      const per = Math.max(...kinds.map((k) => cells.filter((c) => c.kind === k).length));
      const columns = Math.max(1, Math.min(per, Math.floor(width / (theme.rem * 10))));
      let line = 0;
      const rows = kinds.reduce((sum, k) => sum + Math.ceil(cells.filter((c) => c.kind === k).length / columns), 0);
      const [w, h] = [width / columns, height / rows];
      for (const [k, kind] of kinds.entries()) {
        const own = cells.filter((c) => c.kind === kind);
        own.forEach((cell, i) => {
          paintCell(g, cell, (i % columns) * w, (line + Math.floor(i / columns)) * h, w, h, theme.categorical[k]);
        });
        line += Math.ceil(own.length / columns);
      }
      const cell = at && cells[at.cell];
      const count = cell?.counts[at.bin];
      if (cell?.x && count !== undefined) {
        const n = cell.counts.length;
        const middle = cell.lo + ((at.bin + 0.5) / n) * (cell.hi - cell.lo);
        tip.show(cell.x(middle), cell.y(count), say());
      } else tip.hide();
      ctx.root.dataset.epoch = shown?.epoch ?? "";
      ctx.root.dataset.cells = cells.length;
    }

    function say() {
      const cell = cells[at.cell];
      const step = (cell.hi - cell.lo) / cell.counts.length;
      const from = cell.lo + at.bin * step;
      return [`${cell.name}: ${cell.kind}`, `${number(from, 3)} to ${number(from + step, 3)}`, `${cell.counts[at.bin]} values`];
    }

    function paintCell(g, cell, left, top, w, h, color) {
      const { theme } = ctx;
      const most = cell.counts.reduce((a, b) => Math.max(a, b), 1);
      const yTicks = ticks(0, most, 2).filter(Number.isInteger);
      const m = margins(g, theme, yTicks, {});
      const title = theme.small * 1.5;
      const right = left + w - m.right * 1.6;
      cell.x = scale([cell.lo, cell.hi], [left + m.left, right]);
      cell.y = scale([0, most * 1.08], [top + h - m.bottom - theme.small * 0.4, top + title]);
      if (right - left - m.left < 20 || cell.y.range[0] - cell.y.range[1] < 15) {
        cell.x = null;
        return;
      }
      g.font = theme.font(theme.small, 600);
      g.fillStyle = theme.text;
      g.textAlign = "left";
      g.textBaseline = "top";
      g.fillText(clip(g, `${cell.name}: ${cell.kind}`, w - m.left - m.right), left + m.left, top);
      const xTicks = ticks(cell.lo, cell.hi, Math.max(2, Math.floor((right - left) / (theme.small * 6))));
      axes(g, theme, cell.x, cell.y, { yTicks, xTicks });
      const n = cell.counts.length;
      const step = (cell.x.range[1] - cell.x.range[0]) / n;
      for (let i = 0; i < n; i++) {
        if (!cell.counts[i]) continue;
        const marked = at && cells[at.cell] === cell && at.bin === i;
        g.fillStyle = marked ? theme.primary : color;
        const y = cell.y(cell.counts[i]);
        const x = cell.x.range[0] + i * step;
        g.fillRect(x, Math.min(y, cell.y.range[0] - 1), Math.max(1, step - 0.5), Math.max(1, cell.y.range[0] - y));
      }
      if (cell.lo < 0 && cell.hi > 0) {
        g.strokeStyle = theme.text;
        g.lineWidth = 1;
        g.setLineDash([3, 3]);
        g.beginPath();
        g.moveTo(cell.x(0), cell.y.range[0]);
        g.lineTo(cell.x(0), cell.y.range[1]);
        g.stroke();
        g.setLineDash([]);
      }
    }

    canvas.onpointermove = (e) => {
      at = null;
      for (const [i, c] of cells.entries()) {
        if (!c.x || e.offsetX < c.x.range[0] || e.offsetX >= c.x.range[1]) continue;
        if (e.offsetY > c.y.range[0] || e.offsetY < c.y.range[1]) continue;
        const t = (e.offsetX - c.x.range[0]) / (c.x.range[1] - c.x.range[0]);
        at = { cell: i, bin: Math.floor(t * c.counts.length) };
      }
      ctx.redraw();
    };
    canvas.onpointerleave = canvas.onblur = () => {
      at = null;
      ctx.redraw();
    };
    canvas.onkeydown = (e) => {
      const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[e.key];
      if (e.key === "Escape") at = null;
      if (by && cells.length) {
        e.preventDefault();
        const cell = at ? Math.min(cells.length - 1, Math.max(0, at.cell + by[0])) : 0;
        const n = cells[cell].counts.length;
        at = { cell, bin: at ? Math.min(n - 1, Math.max(0, at.bin + by[1])) : Math.floor(n / 2) };
        spoken.textContent = say().join(", ");
      }
      ctx.redraw();
    };

    return {
      update(data) {
        if (!ctx.feed) shown = data.frame ?? null;
      },
      news(feed) {
        shown = feed.shown;
      },
      paint,
    };
  },
});

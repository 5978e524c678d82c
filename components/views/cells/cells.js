// Tensors as planes of cells, linked by pointing: who made this cell, with which weight, and whom does it reach?

import { clip, fit } from "../shared/canvas.js";
import { button, player } from "../shared/player.js";
import { inkOn, number } from "../shared/scale.js";
import { css } from "../shared/theme.js";
import { define, make } from "../shared/view.js";
import { dimNames, index, legend, place, stretch, termsOf, unravel } from "./layout.js";

const SHOWN = 12; // links or terms in the sentence
const STAGES = ["align", "stretch", "combine"];

const CSS = `
.said { min-height: 3em; max-height: 6em; overflow: auto; padding-top: 0.3em; font-variant-numeric: tabular-nums;
  font-size: max(13px, 0.9rem); overflow-wrap: anywhere; }
.said b { font-weight: 600; }
.edit { position: absolute; z-index: 6; border: 2px solid var(--st-primary-color); background: var(--st-background-color);
  text-align: center; font: inherit; }
.shapes { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0.2em 0; }
.shapes td, .shapes th { padding: 0.1em 0.55em; text-align: center; border: 1px solid var(--st-border-color); font-weight: 600; }
.shapes th { border: 0; text-align: right; font-weight: 400; }
.shapes .none { border-style: dotted; color: transparent; }
.shapes .grown { border-style: dashed; background: var(--st-secondary-background-color); }
.shapes .wrong { border: 3px solid var(--st-red-color, #c00); background: var(--st-red-background-color, transparent); }
.shapes .says { border: 0; text-align: left; font-weight: 400; padding-left: 1em; }
`;

/** The theme with the size of small text raised to what the back row can read. */
const legible = (theme) => (theme.rem > 20 ? { ...theme, small: Math.max(18, theme.small) } : theme);

export default define({
  css: CSS,
  create(ctx) {
    const canvas = make("canvas", { tabindex: "0", role: "application" });
    const area = make("div", { class: "fill" }, canvas);
    const said = make("div", { class: "said", role: "status", "aria-live": "polite" });
    const staged = () => data.align && stage < 2; // broadcasting is still on its way
    const walker = player({
      what: "walk through the output",
      home: () => {
        if (data.align) setStage(0);
        walkTo(0, 0);
      },
      move: (by) => (staged() ? setStage(Math.max(0, stage + by)) : move(by)),
      delay: (ms) => (staged() ? 4 * ms : ms),
    });
    const { stop, toggle } = walker;
    const pinned = make("span", {}, "");
    const stages = STAGES.map((name, n) => button(`${n + 1} ${name}`, `${n + 1} ${name}: broadcasting`, () => setStage(n)));
    const staging = make("span", { class: "item", role: "group", "aria-label": "Broadcasting step by step" }, ...stages);
    const shapes = make("div", {});
    ctx.root.append(make("div", { class: "bar" }, ...walker.items, staging, pinned), shapes, area, said);

    let data = null;
    let links = index([]);
    let terms = new Map();
    let stage = 2;
    let blocks = []; // what is drawn: {n, kind, shape, map, …place}
    let cellSize = [20, 20];
    let pointed = null; // {block, cell}: the tensor's number and flat cell
    let pin = null;
    let walk = [0, 0]; // output cell over all outputs, term of its sum
    let origin = [0, 0];
    let weights = []; // of the highlighted input cells, by tensor

    const tensors = () => data.tensors;
    const dimLines = (t) => t.shape.length > 1 || t.dims.length > 0;
    const isOutput = (n) => tensors()[n].role === "output";
    const outputCells = () => tensors().reduce((sum, t) => sum + (t.role === "output" && !t.large ? t.values.length : 0), 0);

    /** Output cell number → [tensor, flat cell], and back. */
    function outputAt(cell) {
      for (let n = 0; n < tensors().length; n++) {
        if (!isOutput(n) || tensors()[n].large) continue;
        if (cell < tensors()[n].values.length) return { block: n, cell };
        cell -= tensors()[n].values.length;
      }
      return null;
    }

    function outputNumber(at) {
      let before = 0;
      for (let n = 0; n < at.block; n++) if (isOutput(n) && !tensors()[n].large) before += tensors()[n].values.length;
      return before + at.cell;
    }

    function walkTo(cell, term = 0) {
      const total = outputCells();
      if (!total || data.hidden) return;
      const at = ((cell % total) + total) % total;
      const many = terms.get(at)?.length ?? 1;
      walk = [at, term < 0 ? many - 1 : Math.min(term, many - 1)];
      pin = outputAt(at);
      pointed = null;
      show();
    }

    /** One term on, or one cell on where the sum is complete. */
    function move(by) {
      const many = terms.get(walk[0])?.length ?? 1;
      const next = walk[1] + by;
      if (next >= 0 && next < many) walkTo(walk[0], next);
      else walkTo(walk[0] + by, by < 0 ? -1 : 0);
    }

    function setStage(n) {
      stage = n;
      stages.forEach((b, i) => b.setAttribute("aria-pressed", String(i === n)));
      drawShapes();
      show();
    }

    /** The shapes under each other, from the right. */
    function drawShapes() {
      shapes.replaceChildren();
      const a = data.align;
      if (!a || (stage === 2 && a.failed === null)) return;
      const grown = stage >= 1 || a.failed !== null;
      const rows = a.rows.map((row, n) => make("tr", {}, make("th", { scope: "row" }, a.names[n]), ...row.map((size, c) => {
        const wrong = c === a.failed;
        const wide = !wrong && grown && size !== a.result[c];
        const text = size === null ? (wide ? `→ ${a.result[c]}` : "–") : wide ? `${size} → ${a.result[c]}` : String(size);
        return make("td", { class: wrong ? "wrong" : wide ? "grown" : size === null ? "none" : "" }, text);
      })));
      const words = a.failed !== null
        ? `dim ${a.failed - a.result.length} does not fit: sizes must be equal or 1`
        : stage === 0 ? "shapes aligned from the right" : "sizes of 1 (and missing dims) are stretched";
      rows.at(-1)?.append(make("td", { class: "says" }, words));
      shapes.append(make("table", { class: "shapes", "aria-label": "Shapes aligned from the right" }, make("tbody", {}, ...rows)));
    }

    /** The blocks of this stage with their places. */
    function lay(width, height, theme) {
      const least = theme.rem > 20 ? 18 : 11;
      const stretched = data.align && data.align.failed === null && stage === 1;
      const shown = tensors().map((t, n) => ({ t, n })).filter(({ t, n }) => !(isOutput(n) && data.hidden));
      const made = shown.map(({ t, n }) => {
        const at = data.align?.tensors.indexOf(n) ?? -1;
        const grows = stretched && at >= 0;
        const shape = grows ? data.align.result : t.shape;
        const lines = dimLines(t) ? 2 : 1;
        return {
          n, t, shape, map: grows ? stretch(t.shape, shape) : null, head: lines * theme.small * 1.35 + theme.small * 0.4,
          least: theme.small * 7, fixed: t.large ? [Math.min(theme.small * 42, (width - theme.small * 3 * shown.length) / shown.length), Math.min(theme.small * 22, height - theme.small * 5)] : null,
        };
      });
      const got = place(made, {
        width: width - 8, height: height - theme.small * 0.5 - 2, gap: theme.small * 2.6, largest: theme.small * (theme.rem > 20 ? 6 : 4.4), smallest: 2,
        ratio: (h) => (h > least * 1.3 ? Math.min(h < least * 1.9 ? 1.45 : 1.9, Math.max(1, (theme.small * 5.6) / h)) : 1),
        facetGap: theme.small * 0.8, label: theme.small * 1.25,
      });
      cellSize = got.cell;
      origin = [4, theme.small * 0.5];
      blocks = made.map((b, i) => ({ ...b, ...got.blocks[i] }));
    }

    /** The blocks of this stage: there is no result before shapes fit. */
    const seen = () => (staged() ? blocks.filter((b) => !isOutput(b.n)) : blocks);

    const limitOf = (t) => t.limit || 1;

    /** What is highlighted: per tensor a map from cell to "self", "made", "decided" or "term". */
    function highlights() {
      const marks = tensors().map(() => new Map());
      weights = tensors().map(() => new Map());
      const active = pointed ?? pin;
      if (!active || (isOutput(active.block) && (data.hidden || staged()))) return marks;
      if (isOutput(active.block)) {
        const cell = outputNumber(active);
        for (const link of links.byOutput.get(cell) ?? []) {
          marks[link.tensor].set(link.cell, Number.isNaN(link.weight) || link.weight === 0 ? "decided" : "made");
          if (!Number.isNaN(link.weight)) weights[link.tensor].set(link.cell, link.weight);
        }
        const list = terms.get(cell);
        if (list && !pointed && cell === walk[0]) {
          list[walk[1]].forEach((at, k) => marks[data.terms.tensors[k]].set(at, "term"));
        }
      } else {
        for (const link of links.byInput.get(active.block)?.get(active.cell) ?? []) {
          const at = outputAt(link.output);
          if (at) marks[at.block].set(at.cell, Number.isNaN(link.weight) || link.weight === 0 ? "decided" : "made");
        }
      }
      marks[active.block].set(active.cell, "self");
      return marks;
    }

    function paint() {
      if (!data) return;
      const { g, width, height } = fit(canvas);
      const theme = legible(ctx.theme);
      lay(width, height, theme);
      const marks = highlights();
      const some = marks.some((m) => m.size);
      for (const block of seen()) paintBlock(g, theme, block, marks[block.n], some, width);
      const first = blocks.find((b) => isOutput(b.n));
      if (first && first.left > 0 && !staged()) {
        g.fillStyle = theme.muted;
        g.font = theme.font(theme.rem * 1.3, 600);
        g.textAlign = "center";
        g.textBaseline = "middle";
        g.fillText("→", origin[0] + first.left - theme.small * 1.3, origin[1] + first.top + Math.min(first.high, height) / 2);
      }
      canvas.setAttribute("aria-label", `${ctx.alt} Arrow keys move the cell, page up and page down change the tensor, space plays, Enter edits a pinned input cell.`);
      ctx.root.dataset.pinned = pin ? JSON.stringify(pin) : "";
      ctx.root.dataset.shown = data.sign;
      const big = tensors().find((t) => t.large);
      ctx.root.dataset.window = big ? big.large.at.join(",") : "";
    }

    function paintBlock(g, theme, block, marks, some, width) {
      const { t, facets: f } = block;
      const [x0, y0] = origin;
      g.textAlign = "left";
      g.textBaseline = "top";
      g.font = theme.font(theme.small, 600);
      g.fillStyle = theme.text;
      const shape = block.map ? block.shape : t.shape;
      const title = `${t.name} (${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
      const room = Math.max(block.wide + theme.small * 1.6, 40);
      const top = y0 + block.top - block.head;
      g.fillText(clip(g, title, room), x0 + block.left, top);
      const used = g.measureText(title).width;
      g.font = theme.font(theme.small, 400);
      g.fillStyle = theme.muted;
      const note = t.changed ? `${t.dtype}, changed` : t.dtype;
      if (used + theme.small * 3 < room) g.fillText(clip(g, ` ${note}`, room - used), x0 + block.left + used, top);
      const names = dimNames(shape.length, t.dims);
      if (dimLines(t)) g.fillText(clip(g, legend(names), room), x0 + block.left, top + theme.small * 1.35);
      if (t.large) return paintLarge(g, theme, block);
      if (!t.values.length) {
        g.fillText("no cells", x0 + block.left, y0 + block.top);
        return;
      }
      const [w, h] = cellSize;
      const seen = new Set();
      const per = f.rows * f.columns;
      block.planes.forEach(([px, py], p) => {
        if (f.count > 1) {
          g.fillStyle = theme.muted;
          g.font = theme.font(theme.small, 400);
          g.textAlign = "left";
          g.textBaseline = "bottom";
          const at = unravel(p, shape.slice(0, -2));
          const named = at.map((i, d) => `${names[d]} ${i}`).join(", ");
          const text = t.dims.length && g.measureText(named).width <= f.columns * w + theme.small * 0.7 ? named : `[${at.join(", ")}]`;
          g.fillText(text, x0 + px, y0 + py - 1);
        }
        for (let k = 0; k < per; k++) {
          const flat = p * per + k;
          const cell = block.map ? block.map[flat] : flat;
          const ghost = seen.has(cell);
          seen.add(cell);
          paintCell(g, theme, t, cell, x0 + px + (k % f.columns) * w, y0 + py + Math.floor(k / f.columns) * h, w, h, marks.get(cell), some, ghost && block.map, weights[block.n]?.get(cell));
        }
      });
    }

    function paintCell(g, theme, t, cell, x, y, w, h, mark, some, ghost, weight) {
      const value = t.values[cell];
      const finite = Number.isFinite(value);
      const least = theme.rem > 20 ? 18 : 11;
      const color = theme.diverging(finite ? Math.max(-1, Math.min(1, value / limitOf(t))) : 0);
      const inset = w > 5 ? 1 : 0;
      g.globalAlpha = ghost ? 0.45 : 1;
      g.fillStyle = finite ? css(color) : theme.panel;
      g.fillRect(x, y, w - inset, h - inset);
      if (!finite) hatch(g, theme, x, y, w, h);
      if (ghost) dashed(g, theme.axis, 1, x, y, w, h);
      const faded = some && mark === undefined && w > 3;
      if (faded) {
        g.globalAlpha = 0.45;
        g.fillStyle = theme.background;
        g.fillRect(x, y, w, h);
      }
      g.globalAlpha = 1;
      const size = Math.max(least, Math.min(theme.small * 1.2, h * 0.62));
      if (h >= least * 1.15 && w >= least * 1.5) {
        g.font = theme.font(size, mark ? 700 : 400);
        g.textAlign = "center";
        g.textBaseline = "middle";
        g.fillStyle = !finite || faded || ghost ? theme.text : inkOn(color);
        const text = written(t, value, g, w - 3);
        const both = weight !== undefined && h > size + least * 1.5; // the weight stands below the number
        const middle = y + h / 2 - (both ? least * 0.5 : 0);
        if (!finite) {
          const half = g.measureText(text).width / 2 + 2;
          g.fillStyle = theme.panel;
          g.fillRect(x + w / 2 - half, middle - size * 0.6, half * 2, size * 1.2);
          g.fillStyle = theme.text;
        }
        g.fillText(text, x + w / 2 - 0.5, middle);
        if (both) {
          g.font = theme.font(least);
          g.fillText(clip(g, `×${number(weight, 2)}`, w - 4), x + w / 2 - 0.5, middle + size * 0.55 + least * 0.6);
        }
      }
      if (!mark) return;
      const thick = Math.min(w / 3, theme.line * (mark === "self" || mark === "term" ? 1.6 : 1));
      const ink = mark === "self" || mark === "term" ? theme.text : theme.primary;
      if (mark === "decided") dashed(g, ink, thick, x, y, w, h);
      else {
        g.strokeStyle = ink;
        g.lineWidth = thick;
        g.strokeRect(x + thick / 2, y + thick / 2, w - 1 - thick, h - 1 - thick);
      }
    }

    function dashed(g, ink, thick, x, y, w, h) {
      g.save();
      g.strokeStyle = ink;
      g.lineWidth = thick;
      g.setLineDash([thick * 2 + 1, thick * 1.5 + 1]);
      g.strokeRect(x + thick / 2, y + thick / 2, w - 1 - thick, h - 1 - thick);
      g.restore();
    }

    function hatch(g, theme, x, y, w, h) {
      g.save();
      g.beginPath();
      g.rect(x, y, w - 1, h - 1);
      g.clip();
      g.strokeStyle = theme.axis;
      g.lineWidth = 1;
      g.beginPath();
      for (let d = -h; d < w; d += Math.max(4, h / 4)) {
        g.moveTo(x + d, y + h);
        g.lineTo(x + d + h, y);
      }
      g.stroke();
      g.restore();
    }

    /** A number as short as the cell needs. */
    function written(t, value, g, room) {
      if (t.dtype === "bool") return room > g.measureText("False").width ? (value ? "True" : "False") : value ? "T" : "F";
      for (const digits of [4, 3, 2, 1]) {
        const text = said1(t, value, digits);
        if (g.measureText(text).width <= room) return text;
      }
      if (Number.isFinite(value) && Math.abs(value) < 1e4) {
        for (const digits of [2, 1, 0]) {
          const text = value.toFixed(digits).replace("-", "−").replace(/^(−?)0\./, "$1.");
          if (Number(value.toFixed(digits)) !== 0 && g.measureText(text).width <= room) return text;
        }
        if (Math.abs(value) < 0.1) return value < 0 ? "−0" : "+0"; // tiny, with its sign
      }
      return clip(g, said1(t, value, 1), room);
    }

    function said1(t, value, digits = 4) {
      if (Number.isNaN(value)) return "NaN";
      if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
      if (t.dtype === "bool") return value ? "True" : "False";
      if (Number.isInteger(value) && Math.abs(value) < 10 ** Math.max(5, digits + 2)) return String(value).replace("-", "−");
      return number(value, digits);
    }

    /** A tensor too large to read: its picture, the window in it, and its histogram. */
    function paintLarge(g, theme, block) {
      const big = block.t.large;
      const [x, y] = [origin[0] + block.left, origin[1] + block.top];
      const side = Math.min(block.high - theme.small * 4.2, block.wide * 0.36);
      const [rows, columns] = big.thumb.shape;
      const scale = side / Math.max(rows, columns);
      block.thumb = { x, y, w: columns * scale, h: rows * scale };
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          const v = big.thumb[i * columns + j];
          g.fillStyle = Number.isFinite(v) ? css(theme.diverging(Math.max(-1, Math.min(1, v / (big.thumbLimit || 1))))) : theme.axis;
          g.fillRect(x + j * scale, y + i * scale, scale + 0.5, scale + 0.5);
        }
      }
      const [wr, wc] = big.window.shape;
      const [H, W] = big.plane;
      g.strokeStyle = theme.text;
      g.lineWidth = theme.line;
      const rect = [x + (big.at[1] / W) * block.thumb.w, y + (big.at[0] / H) * block.thumb.h, (wc / W) * block.thumb.w, (wr / H) * block.thumb.h];
      g.strokeRect(rect[0] - 2, rect[1] - 2, Math.max(4, rect[2]) + 4, Math.max(4, rect[3]) + 4);
      const left = x + side + theme.small * 1.5;
      const [cw, ch] = [(block.wide - side - theme.small * 1.6) / wc, side / wr];
      for (let i = 0; i < wr; i++) {
        for (let j = 0; j < wc; j++) {
          paintCell(g, theme, { ...block.t, values: big.window, limit: big.limit }, i * wc + j, left + j * cw, y + i * ch, cw, ch, undefined, false, false);
        }
      }
      const counts = big.counts;
      const most = counts.reduce((a, b) => Math.max(a, b), 1);
      const base = y + block.high - theme.small * 1.3;
      const bar = block.wide / counts.length;
      g.fillStyle = theme.categorical[0];
      counts.forEach((c, i) => g.fillRect(x + i * bar, base - (c / most) * theme.small * 2.4, bar - 1, (c / most) * theme.small * 2.4));
      g.fillStyle = theme.muted;
      g.font = theme.font(theme.small);
      g.textBaseline = "top";
      g.textAlign = "left";
      g.fillText(number(big.low), x, base + 1);
      g.textAlign = "right";
      g.fillText(number(big.high), x + block.wide, base + 1);
      g.textAlign = "center";
      g.fillText(`rows ${big.at[0]}–${big.at[0] + wr - 1}, columns ${big.at[1]}–${big.at[1] + wc - 1}`, x + block.wide / 2, base + 1);
    }

    const nameOf = (at) => {
      const t = tensors()[at.block];
      return t.shape.length ? `${t.name}[${unravel(at.cell, t.shape).join(", ")}]` : t.name;
    };
    const valueOf = (at) => said1(tensors()[at.block], tensors()[at.block].values[at.cell]);

    /** The sentence under the picture. */
    function tell() {
      said.replaceChildren();
      const active = pointed ?? pin;
      if (data.hidden) {
        said.append("The result is covered until you have guessed.");
        if (!active || isOutput(active.block)) return;
      }
      if (staged() && data.align.failed === null && !pointed) {
        said.append(stage ? "Sizes of 1 are repeated, without copying, until every size is the same; then the cells are combined." : "Sizes are compared from the right: they must be equal, or 1, or missing.");
        return;
      }
      if (!active) {
        const big = tensors().filter((t) => t.large).map((t) => `${t.name}: ${t.large.text}`).join("   ");
        said.append(data.note || big || "Point at a cell: an output shows who made it, an input whom it reaches. Click to pin.");
        return;
      }
      said.append(make("b", {}, `${nameOf(active)} = ${valueOf(active)}`));
      if (isOutput(active.block)) tellOutput(active);
      else tellInput(active);
    }

    function tellOutput(active) {
      const cell = outputNumber(active);
      const list = terms.get(cell);
      if (list) {
        const upTo = !pointed && cell === walk[0] ? walk[1] + 1 : list.length;
        const values = list.map((at) => at.map((c, k) => tensors()[data.terms.tensors[k]].values[c]));
        const one = (v, n) => v.map((x, k) => { const s = said1(tensors()[data.terms.tensors[k]], x); return x < 0 ? `(${s})` : s; }).join(" · ");
        const shown = values.slice(0, upTo);
        const from = Math.max(0, shown.length - SHOWN);
        const total = shown.reduce((sum, v) => sum + v.reduce((p, x) => p * x, 1), 0);
        said.append(`  =  ${from ? "… + " : ""}${shown.slice(from).map(one).join(" + ")}  =  `, make("b", {}, number(total, 6)));
        if (upTo < list.length) said.append(`  (term ${upTo} of ${list.length})`);
        return;
      }
      const found = links.byOutput.get(cell) ?? [];
      if (!data.linked) said.append("  Too many cells to show who made which.");
      else if (!found.length) said.append("  No input cell made it: it would be the same for any input.");
      else {
        const part = found.slice(0, SHOWN).map((l) => {
          const at = { block: l.tensor, cell: l.cell };
          const how = Number.isNaN(l.weight) ? "decides" : `weight ${number(l.weight, 3)}`;
          return `${nameOf(at)} = ${valueOf(at)} (${how})`;
        });
        said.append(`  ←  ${part.join(",  ")}${found.length > SHOWN ? `, and ${found.length - SHOWN} more` : ""}`);
      }
    }

    function tellInput(active) {
      if (data.hidden) return;
      const found = links.byInput.get(active.block)?.get(active.cell) ?? [];
      if (!data.linked) said.append("  Too many cells to show whom it reaches.");
      else if (!links.byInput.has(active.block)) said.append("  The operation does not use this tensor.");
      else if (!found.length) said.append("  reaches no output cell.");
      else {
        const part = found.slice(0, SHOWN).map((l) => {
          const at = outputAt(l.output);
          return `${nameOf(at)} (${Number.isNaN(l.weight) ? "decides" : `weight ${number(l.weight, 3)}`})`;
        });
        said.append(`  reaches  ${part.join(",  ")}${found.length > SHOWN ? `, and ${found.length - SHOWN} more` : ""}`);
      }
    }

    function hit(e) {
      const [w, h] = cellSize;
      for (const block of seen()) {
        if (block.t.large) continue;
        const f = block.facets;
        for (let p = 0; p < block.planes.length; p++) {
          const [px, py] = block.planes[p];
          const [j, i] = [Math.floor((e.offsetX - origin[0] - px) / w), Math.floor((e.offsetY - origin[1] - py) / h)];
          if (i < 0 || j < 0 || i >= f.rows || j >= f.columns) continue;
          const flat = p * f.rows * f.columns + i * f.columns + j;
          const cell = block.map ? block.map[flat] : flat;
          if (cell < block.t.values.length) return { block: block.n, cell };
        }
      }
      return null;
    }

    function pan(e) {
      for (const block of blocks) {
        const r = block.thumb;
        if (!block.t.large || !r) continue;
        const [u, v] = [(e.offsetX - r.x) / r.w, (e.offsetY - r.y) / r.h];
        if (u < 0 || v < 0 || u >= 1 || v >= 1) continue;
        const [H, W] = block.t.large.plane;
        const [wr, wc] = block.t.large.window.shape;
        ctx.send("pan", { name: block.t.name, row: Math.round(v * H - wr / 2), column: Math.round(u * W - wc / 2) });
        return true;
      }
      return false;
    }

    /** An input box over a cell; Enter or leaving it takes the number over, Escape does not. */
    function edit(at) {
      const t = tensors()[at.block];
      if (isOutput(at.block) || !data.editable.includes(t.name)) return;
      const block = blocks.find((b) => b.n === at.block);
      const f = block.facets;
      const flat = block.map ? block.map.indexOf(at.cell) : at.cell;
      const per = f.rows * f.columns;
      const [px, py] = block.planes[Math.floor(flat / per)];
      const [w, h] = cellSize;
      const k = flat % per;
      const wide = Math.max(w, ctx.theme.small * 5);
      const box = make("input", { class: "edit", type: "text", "aria-label": `New value of ${nameOf(at)}`, value: said1(t, t.values[at.cell], 8).replace("−", "-") });
      box.style.left = `${origin[0] + px + (k % f.columns) * w - (wide - w) / 2}px`;
      box.style.top = `${origin[1] + py + Math.floor(k / f.columns) * h}px`;
      box.style.width = `${wide}px`;
      box.style.height = `${Math.max(h, ctx.theme.small * 1.8)}px`;
      let over = false;
      const close = (take) => {
        if (over) return;
        over = true;
        const text = box.value.trim();
        box.remove();
        canvas.focus();
        if (take && text && text !== said1(t, t.values[at.cell], 8).replace("−", "-")) ctx.send("edit", { name: t.name, cell: at.cell, text });
      };
      box.onkeydown = (e) => {
        e.stopPropagation();
        if (e.key === "Enter") close(true);
        if (e.key === "Escape") close(false);
      };
      box.onblur = () => close(true);
      area.append(box);
      box.focus();
      box.select();
    }

    function show() {
      pinned.textContent = [pin && !staged() ? "pinned: Esc" : "", data.editable.length ? "edit: double-click" : ""].filter(Boolean).join(" · ");
      tell();
      ctx.redraw();
    }

    canvas.onpointermove = (e) => {
      const now = hit(e);
      if (now?.block === pointed?.block && now?.cell === pointed?.cell) return;
      pointed = now;
      show();
    };
    canvas.onpointerleave = () => {
      pointed = null;
      show();
    };
    canvas.onclick = (e) => {
      stop();
      if (pan(e)) return;
      const now = hit(e);
      if (data.hidden && now && isOutput(now.block)) return;
      pin = now && pin && now.block === pin.block && now.cell === pin.cell ? null : now;
      if (pin && isOutput(pin.block)) walk = [outputNumber(pin), Math.max(0, (terms.get(outputNumber(pin))?.length ?? 1) - 1)];
      show();
    };
    canvas.ondblclick = (e) => {
      const now = hit(e);
      if (now) edit(now);
    };
    canvas.onkeydown = (e) => {
      const big = tensors().find((t) => t.large);
      const far = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[e.key];
      if (big && far && !outputCells()) {
        const [rows, columns] = big.large.window.shape;
        ctx.send("pan", { name: big.name, row: big.large.at[0] + far[0] * rows, column: big.large.at[1] + far[1] * columns });
        e.preventDefault();
        return;
      }
      const at = pin ?? outputAt(walk[0]);
      const shape = at ? tensors()[at.block].shape : [1];
      const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -(shape.at(-1) ?? 1), ArrowDown: shape.at(-1) ?? 1 }[e.key];
      if (by && pin && !isOutput(pin.block)) {
        const n = tensors()[pin.block].values.length;
        pin = { block: pin.block, cell: (pin.cell + by + n) % n };
        stop();
        show();
      } else if (by) {
        stop();
        walkTo(walk[0] + by, -1);
      } else if (e.key === " ") toggle();
      else if (e.key === "PageUp" || e.key === "PageDown") {
        const able = tensors().map((t, n) => n).filter((n) => !tensors()[n].large && tensors()[n].values.length && !(data.hidden && isOutput(n)));
        if (!able.length) return;
        const here = able.indexOf(pin?.block ?? -1);
        const next = able[(here + (e.key === "PageDown" ? 1 : able.length - 1) + able.length) % able.length];
        stop();
        pin = { block: next, cell: 0 };
        if (isOutput(next)) walk = [outputNumber(pin), Math.max(0, (terms.get(outputNumber(pin))?.length ?? 1) - 1)];
        show();
      } else if (e.key === "Enter" && pin) edit(pin);
      else if (e.key === "Escape") {
        stop();
        pin = pointed = null;
        show();
      } else return;
      e.preventDefault();
    };

    return {
      update(next) {
        const key = (d) => d && JSON.stringify([d.sign, d.hidden, d.tensors.map((t) => [t.name, t.shape])]);
        const same = key(data) === key(next);
        data = next;
        for (const t of data.tensors) {
          if (!t.large) t.limit = Array.from(t.values).reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0);
          else t.large.limit = Array.from(t.large.window).reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0);
          if (t.large) t.large.thumbLimit = Array.from(t.large.thumb).reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0);
        }
        links = index(data.links);
        terms = termsOf(data.terms);
        staging.hidden = !data.align || data.align.failed !== null || data.hidden;
        const walks = outputCells() > 0 && !data.hidden;
        for (const item of walker.items) item.hidden = !walks;
        if (!same) {
          stop();
          walk = [0, 0];
          pin = pointed = null;
          setStage(data.align && data.align.failed !== null ? 0 : 2);
        } else drawShapes();
        if (!pin && walks) {
          const many = terms.get(0)?.length ?? 1;
          walk = [0, many - 1];
          pin = outputAt(0); // alive at first sight: who made the first cell
        }
        if (ctx.root.clientWidth) lay(ctx.root.clientWidth, 300, legible(ctx.theme));
        show();
      },
      paint,
      stop,
    };
  },
});

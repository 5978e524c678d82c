// A kernel sliding over numbers: three groups of planes, linked by pointing.

import { clip, fit } from "../shared/canvas.js";
import { player } from "../shared/player.js";
import { inkOn, number } from "../shared/scale.js";
import { css } from "../shared/theme.js";
import { define, make } from "../shared/view.js";
import { BELOW, SIDE, cell3, filters, largestCell, largestRow, reached, terms, touched, weightAt } from "./geometry.js";

const SHOWN_TERMS = 25;

const CSS = `
.sum { min-height: 3.9em; max-height: 6.6em; overflow: auto; padding-top: 0.3em; font-variant-numeric: tabular-nums;
  font-size: max(13px, 0.9rem); overflow-wrap: anywhere; }
.sum b { font-weight: 600; }
`;

export default define({
  css: CSS,
  create(ctx) {
    const canvas = make("canvas", { tabindex: "0", role: "application" });
    const area = make("div", { class: "fill" }, canvas);
    const sum = make("div", { class: "sum", role: "status", "aria-live": "polite" });
    const walker = player({
      what: "walk through the output",
      unit: "cells",
      speeds: [1, 2, 4, 8, 16, 32],
      home: () => walkTo(0),
      move: (by) => walkTo(walk + by),
    });
    const pinned = make("span", {}, "");
    ctx.root.append(make("div", { class: "bar" }, ...walker.items, pinned), area, sum);
    let data = null;
    let blocks = []; // {kind, planes: [{index, at, left, top}], cell, rows, columns, title}
    let pointed = null; // {kind: "x" | "w" | "y", …}
    let pin = null;
    let walk = 0;
    let ranges = {};

    const outputs = () => data.y.length;
    const outputAt = (n) => {
      const [, h, w] = data.y.shape;
      return { kind: "y", o: Math.floor(n / (h * w)), i: Math.floor(n / w) % h, j: n % w };
    };

    function walkTo(n) {
      walk = ((n % outputs()) + outputs()) % outputs();
      pin = outputAt(walk);
      pointed = null;
      show();
    }

    /** The planes of the three groups, in cells. */
    function lay(width, height, theme) {
      const [c, h, w] = data.x.shape;
      const [top, left] = data.before;
      const [ph, pw] = data.sources.map((s) => s.length);
      const active = pin ?? pointed;
      const o = active?.kind === "y" ? active.o : active?.o ?? 0;
      const kinds = [{ kind: "x", count: c, rows: ph, columns: pw, title: `input ${data.oneRow ? `${c} × ${w}` : `${c} × ${h} × ${w}`}` }];
      if (data.weight) {
        const own = filters(data, o);
        const [, , kh, kw] = data.weight.shape;
        kinds.push({ kind: "w", count: own.length, own, rows: kh, columns: kw, title: data.y.shape[0] > 1 ? `kernel ${o}` : "kernel" });
      }
      const [co, oh, ow] = data.y.shape;
      kinds.push({ kind: "y", count: co, rows: oh, columns: ow, title: `output ${data.oneRow ? `${co} × ${ow}` : `${co} × ${oh} × ${ow}`}` });
      const head = theme.small * 1.9;
      const gap = theme.small * 2.4;
      const room = width - gap * (kinds.length - 1) - 4;
      const least = theme.small * 6; // a title must fit too
      const size = data.oneRow
        ? [kinds, width - 4, height, theme.rem * 3.2, head + theme.small * 0.8]
        : [kinds, room, height - head - 6, theme.rem * 3.2, least];
      const cell = data.oneRow ? largestRow(...size) : largestCell(...size);
      let [x, y] = [2, head];
      for (const k of kinds) {
        k.wide = k.gridColumns * (k.columns + SIDE) - SIDE;
        k.high = k.gridRows * (k.rows + BELOW) - BELOW;
        Object.assign(k, { cell, left: x, top: y });
        k.planes = Array.from({ length: k.count }, (_, n) => ({
          n,
          left: x + (n % k.gridColumns) * (k.columns + SIDE) * cell,
          top: y + Math.floor(n / k.gridColumns) * (k.rows + BELOW) * cell,
        }));
        if (data.oneRow) y += k.high * cell + head + theme.small * 0.8;
        else x += Math.max(least, k.wide * cell) + gap;
      }
      blocks = kinds;
      blocks.offset = [top, left];
    }

    function valueOf(k, n, i, j) {
      if (k.kind === "y") return cell3(data.y, n, i, j);
      if (k.kind === "w") return weightAt(data, k.own[n].at, i, j);
      const [si, sj] = [data.sources[0][i], data.sources[1][j]];
      return si >= 0 && sj >= 0 ? cell3(data.x, n, si, sj) : null;
    }

    /** Whether padded input cell (i, j) is padding, and whether the stride leaves it out. */
    function border(i, j) {
      const [h, w] = data.x.shape.slice(1);
      const [ph, pw] = data.sources.map((s) => s.length);
      const [top, left] = data.before;
      return {
        pad: i < top || j < left || i >= top + h || j >= left + w,
        left: i >= ph - data.dropped[0] || j >= pw - data.dropped[1],
      };
    }

    function highlights() {
      const active = pointed ?? pin;
      const marks = { x: new Map(), w: new Map(), y: new Map() };
      const put = (kind, n, i, j, strong = false) => marks[kind].set(`${n},${i},${j}`, strong);
      if (!active) return marks;
      if (active.kind === "y") {
        put("y", active.o, active.i, active.j, true);
        const order = filters(data, active.o).map((f) => f.channel);
        const list = terms(data, active.o, active.i, active.j);
        const winner = data.op.includes("max") ? list.reduce((a, b) => (b.value > a.value ? b : a), list[0]) : null;
        for (const t of list) {
          put("x", t.channel, ...t.padded, t === winner);
          put("w", order.indexOf(t.channel), t.p, t.q);
        }
      } else if (active.kind === "x") {
        put("x", active.n, active.i, active.j, true);
        const shown = blocks.find((b) => b.kind === "w");
        for (const r of reached(data, active.n, active.i, active.j)) {
          put("y", r.o, r.i, r.j);
          const n = shown?.own.findIndex((f) => r.at && f.at[0] === r.at[0] && f.at[1] === r.at[1]) ?? -1;
          if (n >= 0) put("w", n, r.p, r.q);
        }
      } else {
        put("w", active.n, active.i, active.j, true);
        const channel = blocks.find((b) => b.kind === "w").own[active.n].channel;
        for (const [i, j] of touched(data, active.i, active.j)) put("x", channel, i, j);
      }
      return marks;
    }

    function paint() {
      if (!data) return;
      const { g, width, height } = fit(canvas);
      const { theme } = ctx;
      lay(width, height, theme);
      const marks = highlights();
      const some = marks.x.size + marks.w.size + marks.y.size > 0;
      for (const k of blocks) {
        g.font = theme.font(theme.small, 600);
        g.fillStyle = theme.text;
        g.textAlign = "left";
        g.textBaseline = "top";
        const next = blocks[blocks.indexOf(k) + 1];
        const room = (next && !data.oneRow ? next.left : width) - k.left - theme.small;
        g.fillText(clip(g, k.title, room), k.left, k.top - theme.small * 1.7);
        for (const plane of k.planes) paintPlane(g, theme, k, plane, marks[k.kind], some);
      }
      g.fillStyle = theme.muted;
      g.font = theme.font(theme.rem * 1.2, 600);
      g.textAlign = "center";
      g.textBaseline = "middle";
      const signs = data.weight ? (data.op === "conv_transpose" ? ["∗ᵀ", "="] : ["∗", "="]) : ["→"];
      if (data.oneRow) return done();
      blocks.slice(1).forEach((k, n) => g.fillText(signs[n], k.left - theme.small * 1.3, k.top + Math.min(k.high * k.cell, height) / 2));
      done();
    }

    function done() {
      canvas.setAttribute("aria-label", `${ctx.alt} Arrow keys move the output cell, space plays.`);
      ctx.root.dataset.pinned = pin ? JSON.stringify(pin) : "";
    }

    function paintPlane(g, theme, k, plane, marks, some) {
      const limit = ranges[k.kind] || 1;
      const s = k.cell;
      const digits = s > theme.small * 3.2 ? 3 : 2;
      const size = Math.max(9, Math.min(theme.small, s * 0.42));
      const written = s >= theme.small * 1.55;
      g.textAlign = "center";
      g.textBaseline = "middle";
      for (let i = 0; i < k.rows; i++) {
        for (let j = 0; j < k.columns; j++) {
          const value = valueOf(k, plane.n, i, j);
          const [x, y] = [plane.left + j * s, plane.top + i * s];
          const edge = k.kind === "x" ? border(i, j) : { pad: false, left: false };
          const color = theme.diverging(value === null ? 0 : Math.max(-1, Math.min(1, value / limit)));
          const mark = marks.get(`${plane.n},${i},${j}`);
          g.globalAlpha = edge.left ? 0.25 : edge.pad ? 0.55 : 1;
          g.fillStyle = value === null ? theme.panel : css(color);
          g.fillRect(x, y, s - (s > 5 ? 1 : 0), s - (s > 5 ? 1 : 0));
          g.globalAlpha = 1;
          if (edge.left || (edge.pad && s > 8)) hatch(g, theme, x, y, s, edge.left);
          const faded = some && mark === undefined && s > 3;
          if (faded) {
            g.globalAlpha = 0.5;
            g.fillStyle = theme.background;
            g.fillRect(x, y, s, s);
            g.globalAlpha = 1;
          }
          if (written) {
            const text = value === null ? data.padValue : number(value, digits);
            g.font = theme.font(size, mark !== undefined ? 700 : 400);
            g.fillStyle = value === null || edge.pad || edge.left || faded ? theme.text : inkOn(color);
            g.fillText(clip(g, text, s - 2), x + s / 2 - 0.5, y + s / 2);
          }
        }
      }
      for (const [at, strong] of marks) {
        const [n, i, j] = at.split(",").map(Number);
        if (n !== plane.n) continue;
        g.strokeStyle = strong ? theme.text : theme.primary;
        g.lineWidth = Math.min(s / 3, strong ? theme.line * 1.6 : theme.line);
        g.strokeRect(plane.left + j * s + 0.5, plane.top + i * s + 0.5, s - 2, s - 2);
      }
    }

    function hatch(g, theme, x, y, s, both) {
      g.save();
      g.beginPath();
      g.rect(x, y, s - 1, s - 1);
      g.clip();
      g.strokeStyle = theme.axis;
      g.lineWidth = 1;
      g.globalAlpha = both ? 0.8 : 0.35;
      g.beginPath();
      for (let d = -s; d < s; d += Math.max(4, s / 4)) {
        g.moveTo(x + d, y + s);
        g.lineTo(x + d + s, y);
        if (both) {
          g.moveTo(x + d, y);
          g.lineTo(x + d + s, y + s);
        }
      }
      g.stroke();
      g.restore();
    }

    /** The sentence under the picture: the written-out sum, or what is reached. */
    function tell() {
      const active = pointed ?? pin;
      sum.replaceChildren();
      if (!active) {
        sum.append("Point at a cell: an output shows its sum, an input whom it reaches, a weight what it multiplies. Click to pin.");
        return;
      }
      const place = (c, i, j) => (data.oneRow ? `[${c}, ${j}]` : `[${c}, ${i}, ${j}]`);
      if (active.kind === "y") {
        const list = terms(data, active.o, active.i, active.j);
        const y = cell3(data.y, active.o, active.i, active.j);
        const shown = list.slice(0, SHOWN_TERMS);
        const more = list.length > shown.length ? ` … (${list.length - shown.length} more)` : "";
        const signed = (v) => (v < 0 ? `(${number(v)})` : number(v));
        let text;
        if (data.op.includes("max")) text = `max(${shown.map((t) => number(t.value)).join(", ")}${more})`;
        else if (data.op.includes("avg")) {
          const counted = data.countPad ? list.length : list.filter((t) => t.source).length;
          text = `(${shown.map((t) => signed(t.value)).join(" + ")}${more}) / ${counted}`;
        } else {
          text = shown.map((t) => `${signed(t.value)} × ${signed(t.weight)}`).join(" + ") + more || "0";
          if (data.bias) text += ` + bias ${number(data.bias[active.o])}`;
        }
        sum.append(make("b", {}, `output${place(active.o, active.i, active.j)} = `), text, make("b", {}, ` = ${number(y)}`));
        const pads = list.filter((t) => !t.source).length;
        if (pads) sum.append(` (${pads} of ${list.length} read padding)`);
      } else if (active.kind === "x") {
        const list = reached(data, active.n, active.i, active.j);
        const value = valueOf({ kind: "x" }, active.n, active.i, active.j);
        const edge = border(active.i, active.j);
        const [top, left] = data.before;
        const name = edge.pad ? `padding (${value === null ? data.padValue : number(value)})` : `input${place(active.n, active.i - top, active.j - left)} = ${number(value)}`;
        sum.append(make("b", {}, name), ` reaches ${list.length} output${list.length === 1 ? "" : "s"}`);
        if (edge.left && !list.length) sum.append(": the stride does not divide, so PyTorch's floor leaves this row or column out");
        else if (list.length) sum.append(`: ${list.slice(0, 12).map((r) => place(r.o, r.i, r.j)).join(", ")}${list.length > 12 ? " …" : ""}`);
        sum.append(".");
      } else {
        const own = blocks.find((b) => b.kind === "w").own[active.n];
        const value = weightAt(data, own.at, active.i, active.j);
        const count = touched(data, active.i, active.j).length;
        sum.append(make("b", {}, `weight[${own.at.join(", ")}${data.oneRow ? "" : `, ${active.i}`}, ${active.j}] = ${number(value)}`),
          ` multiplies ${count} cells of input channel ${own.channel} (padding included), one for each output cell.`);
      }
    }

    function hit(e) {
      for (const k of blocks) {
        for (const plane of k.planes) {
          const [j, i] = [Math.floor((e.offsetX - plane.left) / k.cell), Math.floor((e.offsetY - plane.top) / k.cell)];
          if (i < 0 || j < 0 || i >= k.rows || j >= k.columns) continue;
          return k.kind === "y" ? { kind: "y", o: plane.n, i, j } : { kind: k.kind, n: plane.n, o: pin?.o ?? 0, i, j };
        }
      }
      return null;
    }

    function show() {
      pinned.textContent = pin ? "pinned: Esc releases" : "";
      tell();
      ctx.redraw();
    }

    canvas.onpointermove = (e) => {
      const now = hit(e);
      if (JSON.stringify(now) === JSON.stringify(pointed)) return;
      pointed = now;
      show();
    };
    canvas.onpointerleave = () => {
      pointed = null;
      show();
    };
    canvas.onclick = (e) => {
      walker.stop();
      const now = hit(e);
      pin = now && JSON.stringify(now) === JSON.stringify(pin) ? null : now;
      if (pin?.kind === "y") walk = (pin.o * data.y.shape[1] + pin.i) * data.y.shape[2] + pin.j;
      show();
    };
    canvas.onkeydown = (e) => {
      const [, , w] = data.y.shape;
      const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -w, ArrowDown: w }[e.key];
      if (by) walker.step(by);
      else if (e.key === " ") walker.toggle();
      else if (e.key === "Escape") {
        walker.stop();
        pin = pointed = null;
        show();
      } else return;
      e.preventDefault();
    };

    return {
      update(next) {
        const same = data && ["x", "y"].every((n) => data[n].shape.join() === next[n].shape.join());
        data = next;
        const largest = (a) => (a ? a.reduce((m, v) => Math.max(m, Math.abs(v)), 0) : 0);
        ranges = { x: largest(data.x), w: largest(data.weight), y: largest(data.y) };
        if (!same) {
          walker.stop();
          walk = 0;
          pin = pointed = null;
        }
        if (!pin && outputs()) pin = outputAt(walk); // alive at first sight: the first cell's sum is shown
        lay(ctx.root.clientWidth || 800, 400, ctx.theme);
        show();
      },
      paint,
      stop: () => walker.stop(),
    };
  },
});

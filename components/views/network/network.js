// The network itself: a node per unit with its own map of the plane, a line per weight, an editor on each.

import { clip, fit, picture, pixel, swatch } from "../shared/canvas.js";
import { number } from "../shared/scale.js";
import { Tip, define, make } from "../shared/view.js";

const CSS = `
.editor { position: absolute; z-index: 6; display: flex; gap: 0.4em; align-items: center; flex-wrap: wrap; max-width: 22em;
  background: var(--st-background-color); border: 1px solid var(--st-primary-color); border-radius: 0.3rem; padding: 0.4em 0.6em;
  box-shadow: 0 1px 6px rgba(0, 0, 0, 0.3); }
.editor label { flex-basis: 100%; }
.editor input { width: 7em; background: var(--st-background-color); border: 1px solid var(--st-border-color); padding: 0.1em 0.3em; }
`;
const LAYERS = 9; // with the input
const UNITS = 16;
const PIECES = 14; // of a curve, for finding the one under the pointer

export default define({
  css: CSS,
  create(ctx) {
    const canvas = make("canvas", { tabindex: "0", role: "application" });
    const area = make("div", { class: "fill" }, canvas);
    const note = make("div", { class: "note", hidden: "" });
    area.append(note);
    const legend = make("div", { class: "bar" });
    const spoken = make("div", { class: "spoken", role: "status" });
    ctx.root.append(area, legend, spoken);
    const tip = new Tip(area);
    const tiles = []; // one small canvas per node, used again
    let scene = null;
    let shown = null;
    let net = null; // layout of what was painted last
    let hover = null; // {l, u} a node, {l, u, i} its weight from unit i, {l, u, bias}
    let focus = null;
    let pointer = [0, 0];
    let editor = null;

    const layers = () => {
      const w = shown?.weights ?? [];
      const sizes = w.length ? [w[0].shape[1], ...w.map((m) => m.shape[0])] : [];
      const named = scene?.layers?.length === sizes.length ? scene.layers : [];
      return sizes.map((units, l) => ({
        units,
        name: named[l]?.name ?? (l === 0 ? "input" : l === sizes.length - 1 ? "output" : `layer ${l}`),
        activation: named[l]?.activation,
      }));
    };

    function unitName(l, u) {
      if (l === 0) return scene?.features?.[u] ?? `input ${u + 1}`;
      const all = net.layers;
      if (l === all.length - 1 && scene?.classes?.length === all[l].units) return scene.classes[u];
      return `${all[l].name} · ${u + 1}`;
    }

    const weight = (l, u, i) => shown.weights[l - 1][u * net.layers[l - 1].units + i];
    const bias = (l, u) => shown.biases?.[l - 1]?.[u];

    function place(width, height, g) {
      const { theme } = ctx;
      const all = layers();
      g.font = theme.font();
      const label = (l) => Math.max(0, ...Array.from({ length: all[l].units }, (_, u) => g.measureText(ends(all, l, u)).width));
      const left = Math.min(label(0), width * 0.22) + theme.small;
      const right = Math.min(label(all.length - 1), width * 0.18) + theme.small;
      const top = theme.small * 3.2;
      const most = Math.max(...all.map((a) => a.units));
      const room = (height - top - theme.small * 0.5) / most;
      const size = Math.max(8, Math.min(room * 0.82, theme.rem * 3.2, (width - left - right) / (all.length * 1.8)));
      const x = (l) => left + size / 2 + (l * (width - left - right - size)) / Math.max(1, all.length - 1);
      const y = (l, u) => top + room * (most / 2 + (u + 0.5 - all[l].units / 2));
      net = { layers: all, left, right, top, size, x, y, width, height, edges: [] };
      for (let l = 1; l < all.length; l++) {
        for (let u = 0; u < all[l].units; u++) {
          for (let i = 0; i < all[l - 1].units; i++) net.edges.push({ l, u, i, w: weight(l, u, i) });
        }
      }
      net.most = net.edges.reduce((m, e) => Math.max(m, Math.abs(e.w) || 0), 1e-12);
      net.edges.sort((a, b) => Math.abs(a.w) - Math.abs(b.w));
    }

    function ends(all, l, u) {
      if (l === 0) return scene?.features?.[u] ?? `input ${u + 1}`;
      return scene?.classes?.length === all[l].units ? scene.classes[u] : (scene?.target ?? "output");
    }

    /** Ends of the curve of a weight: from the right side of a unit to the left side of the next. */
    function between({ l, u, i }) {
      const half = net.size / 2;
      return [net.x(l - 1) + half, net.y(l - 1, i), net.x(l) - half, net.y(l, u)];
    }

    function point([x0, y0, x1, y1], t) {
      const s = 3 * t * t - 2 * t * t * t; // the curve's height; its handles lie at half the distance
      const c = 1.5 * t * (1 - t) * (1 - t) + 1.5 * t * t * (1 - t) + t * t * t;
      return [x0 + (x1 - x0) * c, y0 + (y1 - y0) * s];
    }

    function trace(g, edge) {
      const [x0, y0, x1, y1] = between(edge);
      const mid = (x0 + x1) / 2;
      g.beginPath();
      g.moveTo(x0, y0);
      g.bezierCurveTo(mid, y0, mid, y1, x1, y1);
    }

    const same = (a, b) => a && b && a.l === b.l && a.u === b.u && a.i === b.i && Boolean(a.bias) === Boolean(b.bias);
    const touches = (e, at) =>
      at.i !== undefined ? same(e, at) : (e.l === at.l && e.u === at.u) || (e.l === at.l + 1 && e.i === at.u);

    function drawEdge(g, e, strong) {
      const { theme } = ctx;
      g.lineWidth = Math.max(0.6, (Math.abs(e.w) / net.most) * theme.rem * 0.32) + (strong ? 1 : 0);
      g.strokeStyle = e.w < 0 ? theme.negative : theme.positive;
      g.setLineDash(e.w < 0 ? [theme.rem * 0.45, theme.rem * 0.25] : []);
      trace(g, e);
      g.stroke();
    }

    function drawNode(g, l, u, n) {
      const { theme } = ctx;
      const { size } = net;
      const [cx, cy] = [net.x(l), net.y(l, u)];
      const maps = shown.neurons?.[l];
      const edge = Math.round(size);
      const [left, top] = [Math.round(cx - size / 2), Math.round(cy - size / 2)];
      if (maps && u < maps.shape[0]) {
        const [, rows, cols] = maps.shape;
        const [lo, hi] = [shown.neuron_ranges?.[l]?.[2 * u] ?? -1, shown.neuron_ranges?.[l]?.[2 * u + 1] ?? 1];
        const reach = Math.max(Math.abs(lo), Math.abs(hi)) || 1;
        const colors = new Uint32Array(256);
        for (let b = 0; b < 256; b++) colors[b] = pixel(theme.diverging((lo + (b / 255) * (hi - lo)) / reach));
        tiles[n] ??= document.createElement("canvas");
        picture(tiles[n], maps, rows, cols, (k, bytes) => colors[bytes[k]], u * rows * cols);
        g.imageSmoothingEnabled = true;
        g.drawImage(tiles[n], left, top, edge, edge);
      } else {
        g.fillStyle = theme.panel;
        g.fillRect(left, top, edge, edge);
        if (size > theme.small * 1.6 && l > 0 && l < net.layers.length - 1) {
          g.fillStyle = theme.text;
          g.textAlign = "center";
          g.textBaseline = "middle";
          g.font = theme.font();
          g.fillText(String(u + 1), cx, cy);
        }
      }
      const at = focus ?? hover;
      const marked = at && at.i === undefined && !at.bias && at.l === l && at.u === u;
      g.setLineDash([]);
      g.strokeStyle = marked ? theme.primary : theme.axis;
      g.lineWidth = marked ? theme.line * 1.5 : 1.2;
      g.strokeRect(left, top, edge, edge);
      const b = l > 0 ? bias(l, u) : undefined;
      if (b === undefined) return;
      const [bx, by, s] = biasBox(l, u);
      g.fillStyle = b < 0 ? theme.negative : theme.positive;
      g.globalAlpha = 0.25 + 0.75 * Math.min(1, Math.abs(b) / net.most);
      g.fillRect(bx, by, s, s);
      g.globalAlpha = 1;
      g.strokeStyle = at?.bias && at.l === l && at.u === u ? theme.primary : theme.text;
      g.lineWidth = at?.bias && at.l === l && at.u === u ? theme.line * 1.5 : 1;
      g.strokeRect(bx, by, s, s);
    }

    function biasBox(l, u) {
      const s = Math.max(6, net.size * 0.2);
      return [net.x(l) - net.size / 2 - s / 2, net.y(l, u) + net.size / 2 - s / 2, s];
    }

    function paint() {
      const { g, width, height } = fit(canvas);
      const { theme } = ctx;
      canvas.setAttribute("aria-label", `${ctx.alt} Arrow keys go from unit to unit, Page Up and Page Down through its weights, Enter changes one.`);
      const why = missing();
      note.hidden = why === null;
      legend.hidden = why !== null;
      if (why !== null) {
        note.textContent = why;
        net = null;
        return;
      }
      place(width, height, g);
      const at = focus ?? hover;
      for (const e of net.edges) {
        g.globalAlpha = at && !touches(e, at) ? 0.13 : 0.9;
        drawEdge(g, e, at?.i !== undefined && same(e, at));
      }
      g.globalAlpha = 1;
      if (at?.i !== undefined) {
        const e = net.edges.find((k) => same(k, at));
        if (e) drawEdge(g, e, true);
      }
      let n = 0;
      net.layers.forEach((layer, l) => {
        for (let u = 0; u < layer.units; u++) drawNode(g, l, u, n++);
        g.setLineDash([]);
        g.textAlign = "center";
        g.textBaseline = "top";
        g.font = theme.font(theme.small, 600);
        g.fillStyle = theme.text;
        const gap = l === 0 || l === net.layers.length - 1 ? net.left + net.right + net.size : (width - net.left - net.right) / Math.max(1, net.layers.length - 1);
        const heading = (text, y) => {
          const cut = clip(g, text, Math.min(gap * 0.88, width * 0.5));
          const half = g.measureText(cut).width / 2;
          g.fillText(cut, Math.min(width - half, Math.max(half, net.x(l))), y);
        };
        heading(layer.name, 0);
        g.font = theme.font();
        g.fillStyle = theme.muted;
        heading(layer.activation ? `${layer.units} × ${layer.activation}` : `${layer.units} ${layer.units === 1 ? "unit" : "units"}`, theme.small * 1.35);
      });
      g.font = theme.font();
      g.fillStyle = theme.text;
      g.textBaseline = "middle";
      const last = net.layers.length - 1;
      for (let u = 0; u < net.layers[0].units; u++) {
        g.textAlign = "right";
        g.fillText(clip(g, ends(net.layers, 0, u), net.left - theme.small), net.x(0) - net.size / 2 - theme.small * 0.5, net.y(0, u));
      }
      for (let u = 0; u < net.layers[last].units; u++) {
        g.textAlign = "left";
        g.fillText(clip(g, ends(net.layers, last, u), net.right - theme.small * 0.7), net.x(last) + net.size / 2 + theme.small * 0.5, net.y(last, u));
      }
      if (at && !editor) tip.show(...(focus ? spot(focus) : pointer), say(at).concat(hint(at)));
      else tip.hide();
      ctx.root.dataset.epoch = shown.epoch ?? "";
      ctx.root.dataset.edges = net.edges.length;
    }

    function missing() {
      if (!shown) return ctx.data.empty ?? "Waiting for the first picture.";
      const all = layers();
      const large = "This network is too large to draw unit by unit: see the table of its layers.";
      if (!all.length) return scene?.layers ? large : "There are no weights to draw.";
      return all.length > LAYERS || all.some((l) => l.units > UNITS) ? large : null;
    }

    function spot(at) {
      if (at.i !== undefined) return point(between(at), 0.5);
      if (at.bias) return biasBox(at.l, at.u);
      return [net.x(at.l), net.y(at.l, at.u)];
    }

    function say(at) {
      if (at.i !== undefined) return [`${unitName(at.l - 1, at.i)} → ${unitName(at.l, at.u)}`, `weight ${number(weight(at.l, at.u, at.i), 6)}`];
      if (at.bias) return [unitName(at.l, at.u), `bias ${number(bias(at.l, at.u), 6)}`];
      const lines = [unitName(at.l, at.u)];
      const range = shown.neuron_ranges?.[at.l];
      if (range) lines.push(`values from ${number(range[2 * at.u], 3)} to ${number(range[2 * at.u + 1], 3)}`);
      if (at.l > 0 && bias(at.l, at.u) !== undefined) lines.push(`bias ${number(bias(at.l, at.u), 6)}`);
      return lines;
    }

    function hint(at) {
      if (!ctx.data.editable) return [];
      if (at.i !== undefined || at.bias) return [focus ? "Enter: change it" : "click: change it"];
      return focus && at.l > 0 ? ["Page Down: its weights"] : [];
    }

    function under(px, py) {
      if (!net) return null;
      const half = net.size / 2;
      for (let l = 0; l < net.layers.length; l++) {
        for (let u = 0; u < net.layers[l].units; u++) {
          if (l > 0 && bias(l, u) !== undefined) {
            const [bx, by, s] = biasBox(l, u);
            if (px >= bx - 2 && px <= bx + s + 2 && py >= by - 2 && py <= by + s + 2) return { l, u, bias: true };
          }
          if (Math.abs(px - net.x(l)) <= half && Math.abs(py - net.y(l, u)) <= half) return { l, u };
        }
      }
      let best = null;
      let least = 8 ** 2;
      for (const e of net.edges) {
        const curve = between(e);
        if (px < curve[0] || px > curve[2]) continue;
        for (let k = 0; k <= PIECES; k++) {
          const [x, y] = point(curve, k / PIECES);
          const [nx, ny] = point(curve, Math.min(1, (k + 1) / PIECES));
          const d = toPiece(px, py, x, y, nx, ny);
          if (d < least) [best, least] = [e, d];
        }
      }
      return best && { l: best.l, u: best.u, i: best.i };
    }

    function edit(at) {
      if (!ctx.data.editable || (at.i === undefined && !at.bias)) return;
      close();
      const value = at.bias ? bias(at.l, at.u) : weight(at.l, at.u, at.i);
      const input = make("input", { type: "number", step: "any", value: String(Number(value.toPrecision(6))) });
      const [name] = say(at);
      editor = make("form", { class: "editor", "aria-label": "Change a weight" },
        make("label", {}, `${at.bias ? "bias of" : "weight"} ${name}`), input, make("button", { type: "submit" }, "Set"),
        make("button", { type: "button", onclick: () => close(true) }, "Cancel"));
      input.setAttribute("aria-label", `${at.bias ? "bias of" : "weight"} ${name}`);
      editor.onsubmit = (e) => {
        e.preventDefault();
        const wanted = Number(input.value);
        if (input.value.trim() === "" || !Number.isFinite(wanted)) return;
        ctx.send("weight", { layer: at.l - 1, out: at.u, in: at.bias ? null : at.i, value: wanted });
        if (at.bias) shown.biases[at.l - 1][at.u] = wanted; // shown at once; the run's next picture confirms it
        else shown.weights[at.l - 1][at.u * net.layers[at.l - 1].units + at.i] = wanted;
        close(true);
      };
      editor.onkeydown = (e) => {
        e.stopPropagation(); // Streamlit's shortcuts are not meant here
        if (e.key === "Escape") close(true);
      };
      area.append(editor);
      const [sx, sy] = spot(at);
      editor.style.left = `${Math.max(0, Math.min(sx, area.clientWidth - editor.offsetWidth))}px`;
      editor.style.top = `${Math.max(0, Math.min(sy + 6, area.clientHeight - editor.offsetHeight))}px`;
      input.focus();
      input.select();
      ctx.redraw();
    }

    function close(back = false) {
      editor?.remove();
      editor = null;
      if (back) canvas.focus();
      ctx.redraw();
    }

    function furnish() {
      const { theme } = ctx;
      const item = (color, dash, text) => make("span", { class: "item" }, swatch(theme, { color, dash }), make("span", {}, text));
      legend.replaceChildren(
        item(theme.positive, [], "positive weight"),
        item(theme.negative, [3, 2], "negative weight"),
        make("span", { class: "item" }, make("span", {}, "thicker: larger · small square: bias")),
      );
    }

    canvas.onpointermove = (e) => {
      pointer = [e.offsetX, e.offsetY];
      hover = under(...pointer);
      if (hover) focus = null;
      canvas.style.cursor = ctx.data.editable && (hover?.i !== undefined || hover?.bias) ? "pointer" : "default";
      ctx.redraw();
    };
    canvas.onpointerleave = () => {
      hover = null;
      ctx.redraw();
    };
    canvas.onclick = (e) => {
      pointer = [e.offsetX, e.offsetY];
      hover = under(...pointer);
      if (hover) edit(hover);
      else close();
      ctx.redraw();
    };
    canvas.onblur = () => {
      if (!editor) focus = null;
      ctx.redraw();
    };
    canvas.onkeydown = (e) => {
      if (!net) return;
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
      const all = net.layers;
      const bound = (v, n) => Math.min(n - 1, Math.max(0, v));
      if (by) {
        e.preventDefault();
        if (!focus) focus = { l: 0, u: 0 };
        else {
          const l = bound(focus.l + by[0], all.length);
          focus = { l, u: bound(focus.u + by[1], all[l].units) };
        }
      } else if ((e.key === "PageDown" || e.key === "PageUp") && focus && focus.l > 0) {
        e.preventDefault();
        const inputs = all[focus.l - 1].units;
        const count = inputs + (bias(focus.l, focus.u) === undefined ? 0 : 1);
        const now = focus.bias ? inputs : (focus.i ?? (e.key === "PageDown" ? -1 : 0));
        const next = (now + (e.key === "PageDown" ? 1 : count - 1)) % count;
        focus = next === inputs ? { l: focus.l, u: focus.u, bias: true } : { l: focus.l, u: focus.u, i: next };
      } else if (e.key === "Enter" && focus && focus.l > 0) {
        e.preventDefault();
        if (focus.i === undefined && !focus.bias) focus = { ...focus, i: 0 };
        edit(focus);
      } else if (e.key === "Escape") focus = null;
      if (focus) spoken.textContent = say(focus).join(", ");
      ctx.redraw();
    };

    furnish();
    return {
      update(data) {
        if (!ctx.feed) [scene, shown] = [data.scene ?? null, data.frame ?? null];
      },
      news(feed) {
        if (feed.scene !== scene) [hover, focus] = [null, null];
        [scene, shown] = [feed.scene, feed.shown];
      },
      restyle: furnish,
      paint,
    };
  },
});

/** Squared distance of (px, py) from the segment (x0, y0)-(x1, y1). */
function toPiece(px, py, x0, y0, x1, y1) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const t = Math.min(1, Math.max(0, ((px - x0) * dx + (py - y0) * dy) / (dx * dx + dy * dy || 1)));
  return (px - x0 - t * dx) ** 2 + (py - y0 - t * dy) ** 2;
}

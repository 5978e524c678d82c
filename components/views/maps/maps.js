// Three levels of zoom into a network: all layers, the maps of one layer, the single sums of one map.

import { clip, fit } from "../shared/canvas.js";
import { icon } from "../shared/icons.js";
import { button } from "../shared/player.js";
import { inkOn, number } from "../shared/scale.js";
import { css } from "../shared/theme.js";
import { define, make } from "../shared/view.js";
import { contributions, grid, labelled, result, sent, worked } from "./sums.js";

const CSS = `
.bar { padding-bottom: 0.5em; }
.said { min-height: 2.8em; max-height: 5.6em; overflow: auto; padding-top: 0.3em; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.where { font-weight: 600; }
`;
const SHOWN = 12; // contributions and input channels written out

export default define({
  css: CSS,
  create(ctx) {
    const canvas = make("canvas", { tabindex: "0", role: "application" });
    canvas.style.cursor = "pointer";
    const area = make("div", { class: "fill" }, canvas);
    const said = make("div", { class: "said", role: "status", "aria-live": "polite" });
        const home = button("Network", "Network: all layers", () => go(null, null));
    const back = button(icon("back"), "The layer before", () => next(-1));
    const on = button(icon("forward"), "The layer after", () => next(1));
    const where = make("span", { class: "where" });
    const up = button("All its maps", "All its maps, of this layer", () => go(at.layer, null));
    ctx.root.append(make("div", { class: "bar" }, home, back, on, up, where), area, said);

    let data = null;
    let layers = []; // {name, kind, source, given, shape, tiles, ranges, exact}
    let at = { layer: null, map: null }; // name of the opened layer, number of its opened map
    let cell = [0, 0]; // of the opened map
    let hits = []; // {x, y, w, h, layer, map, cell?}
    let pointed = null;
    const images = new Map(); // tiles array → canvases

    const layerOf = (name) => layers.find((one) => one.name === name) ?? null;
    const title = (one) => (/^\d+$/.test(one.name) ? `${Number(one.name) + 1} ${one.kind}` : `${one.name} ${one.kind}`);
    // the columns of a deep network are narrow: no kind, and no word that all its layers share
    const brief = (one) => (/^\d+$/.test(one.name) ? title(one) : one.name.replace(/^(layer|features\.)/, ""));
    const briefSize = ({ shape: [n, h, w] }) => (h * w === 1 ? `${n}` : h === w ? `${n}×${h}²` : `${n}×${h}×${w}`);
    const size = (one) => one.shape.filter((n, k) => k === 0 || one.shape[1] * one.shape[2] > 1).join(" × ");

    function go(layer, map) {
      const fresh = layer !== at.layer;
      at = { layer, map };
      pointed = null;
      const one = layer === null ? null : layerOf(layer);
      if (map !== null && one) cell = [Math.min(cell[0], one.shape[1] - 1), Math.min(cell[1], one.shape[2] - 1)];
      if (data?.asks && map !== null) ask();
      else if (fresh && layer !== null && data?.asks) ctx.send("open", layer);
      show();
    }

    /** A large network's numbers stay on the server: one of them is asked for. */
    function ask() {
      ctx.send("cell", { layer: at.layer, map: at.map, cell });
    }

    /** What the server sent of the very number that is open; null while it is on its way. */
    function answer() {
      const found = data.single;
      return found && found.layer === at.layer && found.map === at.map && found.cell.join() === cell.join() ? found : null;
    }

    /** How the open number comes about and what PyTorch computed: {cell, value}; null while that is unknown. */
    function open(one) {
      if (data.asks) {
        const found = answer();
        return found && { cell: found.op ? sent(found) : null, value: found.value };
      }
      if (!one.exact) return null;
      const [, h, w] = one.shape;
      const op = data.weights[one.name];
      const input = inputOf(one);
      return { cell: op && input ? worked(op, input, one.shape, at.map, ...cell) : null, value: one.exact[(at.map * h + cell[0]) * w + cell[1]] };
    }

    function next(by) {
      if (!layers.length) return;
      const now = layers.findIndex((one) => one.name === at.layer);
      const to = now < 0 ? (by > 0 ? 0 : layers.length - 1) : (now + by + layers.length) % layers.length;
      go(layers[to].name, null);
    }

    /** One map as a small canvas of its own pixels. */
    function tile(one, n) {
      let made = images.get(one.tiles);
      if (!made) images.set(one.tiles, (made = []));
      if (made[n]) return made[n];
      const [, h, w] = one.tiles.shape;
      const picture = document.createElement("canvas");
      [picture.width, picture.height] = [w, h];
      const g = picture.getContext("2d");
      const image = g.createImageData(w, h);
      const out = new Uint32Array(image.data.buffer);
      for (let p = 0; p < w * h; p++) {
        const v = one.tiles[n * w * h + p];
        out[p] = (255 << 24) | (v << 16) | (v << 8) | v;
      }
      g.putImageData(image, 0, 0);
      return (made[n] = picture);
    }

    /** The picture itself as a layer: grey as one map, or three colours in one. */
    function pictureCanvas() {
      const x = data.picture;
      let made = images.get(x);
      if (made) return made;
      const [c, h, w] = x.shape;
      made = document.createElement("canvas");
      [made.width, made.height] = [w, h];
      const g = made.getContext("2d");
      const image = g.createImageData(w, h);
      for (let p = 0; p < h * w; p++) {
        for (let k = 0; k < 3; k++) image.data[4 * p + k] = 255 * x[(c === 3 ? k : 0) * h * w + p];
        image.data[4 * p + 3] = 255;
      }
      g.putImageData(image, 0, 0);
      images.set(x, made);
      return made;
    }

    function draw(g, picture, x, y, w, h) {
      g.imageSmoothingEnabled = w < picture.width;
      g.drawImage(picture, x, y, w, h);
    }

    function frame(g, theme, x, y, w, h, strong) {
      g.strokeStyle = strong ? theme.primary : theme.axis;
      g.lineWidth = strong ? theme.line * 1.5 : 1;
      g.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
    }

    function text(g, theme, what, x, y, room, { bold = false, align = "left", color = theme.text } = {}) {
      g.font = theme.font(theme.small, bold ? 600 : 400);
      g.fillStyle = color;
      g.textAlign = align;
      g.textBaseline = "top";
      g.fillText(clip(g, what, room), x, y);
    }

    function paint() {
      if (!data) return;
      const { g, width, height } = fit(canvas);
      hits = [];
      const one = at.layer === null ? null : layerOf(at.layer);
      if (!one) network(g, width, height);
      else if (at.map === null) layer(g, width, height, one);
      else sums(g, width, height, one);
      canvas.setAttribute("aria-label", `${ctx.alt} Arrow keys move, Enter opens, Escape goes back.`);
      ctx.root.dataset.level = !one ? "network" : at.map === null ? "layer" : "sum";
      ctx.root.dataset.layer = at.layer ?? "";
    }

    function network(g, width, height) {
      const { theme } = ctx;
      const head = theme.small * 2.6;
      const bars = data.probabilities ? Math.min(width * 0.2, theme.small * 14) : 0;
      const gap = theme.small * 0.7;
      const drawn = layers.filter((one) => one.shape[1] * one.shape[2] > 1 || one.kind !== "Flatten");
      const cols = drawn.length + (data.misfit ? 2 : 1);
      // deep networks wrap into rows
      const rows = Math.max(1, Math.ceil((cols * theme.small * 4.6) / (width - bars)));
      const perRow = Math.ceil(cols / rows);
      const column = (width - bars - gap * perRow) / perRow;
      const high = height / rows;
      let k = 0;
      const place = () => {
        const spot = { x: (k % perRow) * (column + gap), y: Math.floor(k / perRow) * high };
        k++;
        return spot;
      };
      const first = place();
      text(g, theme, "picture", first.x, first.y, column, { bold: true });
      text(g, theme, column < theme.small * 6.5 ? briefSize(data.picture) : data.picture.shape.join(" × "), first.x, first.y + theme.small * 1.25, column, { color: theme.muted });
      const side = Math.min(column, high - head - 4);
      draw(g, pictureCanvas(), first.x, first.y + head, side, side);
      frame(g, theme, first.x, first.y + head, side, side, false);
      for (const one of drawn) {
        const { x, y } = place();
        const strong = pointed?.layer === one.name;
        const narrow = column < theme.small * 6.5;
        text(g, theme, narrow ? brief(one) : title(one), x, y, column, { bold: true, color: strong ? theme.primary : theme.text });
        text(g, theme, narrow ? briefSize(one) : size(one), x, y + theme.small * 1.25, column, { color: theme.muted });
        const [n, h, w] = one.tiles.shape;
        const flat = h * w === 1;
        const room = high - head - theme.small * 0.6;
        const most = flat ? Math.min(n, 400) : Math.min(n, 16);
        const fitting = grid(most, column, room, w / h, 2);
        const tw = Math.max(2, Math.min(fitting.tile, flat ? theme.small : column));
        const th = (tw * h) / w;
        const across = flat ? Math.max(1, Math.floor((column + 2) / (tw + 2))) : fitting.columns;
        for (let m = 0; m < most; m++) {
          const tx = x + (m % across) * (tw + 2);
          const ty = y + head + Math.floor(m / across) * (th + 2);
          if (ty + th > y + high) break;
          draw(g, tile(one, m), tx, ty, tw, th);
          if (tw > 5) frame(g, theme, tx, ty, tw, th, false);
        }
        if (strong) frame(g, theme, x - 3, y - 1, column + 5, high - 2, true);
        hits.push({ x: x - 2, y, w: column + 4, h: high - 2, layer: one.name, map: null });
      }
      if (data.misfit) {
        const { x, y } = place();
        const [name, why] = data.misfit;
        text(g, theme, name, x, y, column, { bold: true, color: theme.negative });
        text(g, theme, "does not fit", x, y + theme.small * 1.25, column, { color: theme.negative });
        frame(g, { ...theme, primary: theme.negative }, x, y + head, column, high - head - theme.small, true);
        wrapped(g, theme, why, x + theme.small * 0.5, y + head + theme.small * 0.5, column - theme.small, high - head - theme.small * 2);
      }
      if (data.probabilities) classes(g, theme, width - bars + gap, 0, bars - gap, height);
    }

    /** Words in lines of this width, as many as fit. */
    function wrapped(g, theme, words, x, y, width, height) {
      g.font = theme.font(theme.small);
      const lines = [""];
      for (const word of words.split(" ")) {
        const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
        if (g.measureText(longer).width <= width) lines[lines.length - 1] = longer;
        else lines.push(word);
      }
      const line = theme.small * 1.35;
      lines.slice(0, Math.floor(height / line)).forEach((one, k) => text(g, theme, one, x, y + k * line, width));
    }

    function classes(g, theme, x, y, w, h) {
      const p = data.probabilities;
      const line = theme.small * 1.45;
      const most = Math.max(1, Math.min(p.length, Math.floor((h - line * 1.2) / line)));
      const order = Array.from(p.keys());
      if (most < p.length) order.sort((a, b) => p[b] - p[a]);
      const top = p.indexOf(Math.max(...p));
      text(g, theme, most < p.length ? `best ${most} of ${p.length}` : "probabilities", x, y, w, { bold: true });
      order.slice(0, most).forEach((c, k) => {
        const ty = y + line * (k + 1.2);
        const best = c === top;
        const room = w - theme.small * 3.6; // the number stands right of the longest bar
        g.fillStyle = best ? theme.categorical[0] : theme.grid;
        g.fillRect(x, ty - 1, Math.max(1, room * p[c]), line - 3);
        const name = `${data.classes[c] ?? c}`;
        const inside = best && p[c] * room > theme.small * 1.5;
        text(g, theme, name, x + 4, ty, room - 4, { bold: best, color: inside ? theme.background : theme.text });
        text(g, theme, p[c].toFixed(3), x + w, ty, w, { align: "right", bold: best });
      });
    }

    function layer(g, width, height, one) {
      const { theme } = ctx;
      const [n, h, w] = one.tiles.shape;
      const label = theme.small * 1.5;
      const flat = h * w === 1;
      const fitting = flat ? grid(n, width, height, 1.6, 6) : labelled(n, width, height, w / h, 6, label);
      const tw = Math.max(4, Math.min(fitting.tile, flat ? theme.small * 6 : height));
      const th = flat ? tw / 1.6 - label : (tw * h) / w;
      for (let m = 0; m < n; m++) {
        const x = (m % fitting.columns) * (tw + 6);
        const y = Math.floor(m / fitting.columns) * (th + label + 6);
        if (y > height) break;
        draw(g, tile(one, m), x, y + label, tw, Math.max(2, th));
        const strong = pointed?.map === m;
        frame(g, theme, x, y + label, tw, Math.max(2, th), strong);
        const known = flat && one.exact ? ` = ${number(one.exact[m], 3)}` : tw > theme.small * 9 ? `: ${number(one.ranges[2 * m], 2)} … ${number(one.ranges[2 * m + 1], 2)}` : "";
        const name = flat && data.classes.length === n && one === layers.at(-1) ? data.classes[m] : m;
        text(g, theme, `${name}${known}`, x, y + 1, tw, { bold: strong });
        hits.push({ x, y, w: tw, h: th + label, layer: one.name, map: m });
      }
    }

    const inputOf = (one) => {
      if (one.source === "") return data.input ?? data.picture;
      return one.source === null ? (one.given ?? null) : (layerOf(one.source)?.exact ?? null);
    };

    /** The opened map as a picture with what black and white are: all its cells where the server sent them. */
    function wholeMap(one) {
      const found = data.asks && data.single?.layer === one.name && data.single.map === at.map ? data.single : null;
      if (!found) return { picture: tile(one, at.map), range: one.ranges.subarray(2 * at.map, 2 * at.map + 2) };
      const tiles = Object.assign(found.drawn, { shape: [1, ...found.drawn.shape.slice(-2)] });
      return { picture: tile({ tiles }, 0), range: found.range };
    }

    function sums(g, width, height, one) {
      const { theme } = ctx;
      const [, h, w] = one.shape;
      const big = Math.min(height - theme.small * 1.6, width * 0.4);
      const th = h >= w ? big : (big * h) / w;
      const tw = (th * w) / h;
      const top = theme.small * 1.6;
      const { picture, range } = wholeMap(one);
      text(g, theme, `map ${at.map}: black ${number(range[0], 3)}, white ${number(range[1], 3)}`, 0, 0, Math.max(tw, theme.small * 16), { bold: true });
      draw(g, picture, 0, top, tw, th);
      frame(g, theme, 0, top, tw, th, false);
      const [cw, ch] = [tw / w, th / h];
      const seen = Math.max(6, cw + 2); // a cell of a large map is smaller than a pointer
      frame(g, theme, (cell[1] + 0.5) * cw - seen / 2, top + (cell[0] + 0.5) * ch - seen / 2, seen, seen, true);
      hits.push({ x: 0, y: top, w: tw, h: th, layer: one.name, map: at.map, cells: [h, w] });
      const left = Math.max(tw, theme.small * 12) + theme.small * 2.4;
      const found = open(one);
      if (!found?.cell) {
        const why = found ? "This layer is not written out as single sums." : data.asks ? "…" : "The single numbers of so large a layer are not sent.";
        text(g, theme, why, left, top, width - left);
      } else if (found.cell.parts) windows(g, left, top, width - left, height - top, found.cell);
      else if (found.cell.op === "linear") linear(g, left, top, width - left, height - top, found.cell);
      else oneNumber(g, left, top, found.cell, found.value);
    }

    /** Of many channels those that count most. */
    const foremost = (parts) => (parts.length > SHOWN * 2 ? parts.toSorted((a, b) => Math.abs(b.sum) - Math.abs(a.sum)).slice(0, SHOWN * 2) : parts);

    function windows(g, x, y, width, height, { op, parts: all }) {
      const { theme } = ctx;
      const conv = op === "conv";
      const parts = foremost(all);
      const { rows: kh, columns: kw } = parts[0];
      const unitW = (conv ? 2 * kw + 1.2 : kw) + 2.2;
      const label = theme.small * 1.6;
      const fitting = labelled(parts.length, width, height, unitW / kh, 0, label);
      const s = Math.max(1, Math.min(fitting.tile / unitW, theme.small * 3.2));
      const limitX = Math.max(...parts.flatMap((part) => part.x.map((v) => Math.abs(v ?? 0))), 1e-9);
      const limitW = conv ? Math.max(...parts.flatMap((part) => part.w.map(Math.abs)), 1e-9) : 1;
      parts.forEach((part, k) => {
        const px = x + (k % fitting.columns) * s * unitW;
        const py = y + Math.floor(k / fitting.columns) * (s * kh + label);
        text(g, theme, `${conv ? "input" : "map"} ${part.channel}${conv ? ` → ${number(part.sum, 3)}` : ""}`, px, py - 2, s * (unitW - 0.3), { color: theme.muted });
        matrix(g, px, py + theme.small * 1.2, s, part.rows, part.columns, part.x, limitX);
        if (!conv) return;
        text(g, theme, "×", px + (kw + 0.45) * s, py + theme.small * 1.2 + (kh * s) / 2 - theme.small / 2, s);
        matrix(g, px + (kw + 1.2) * s, py + theme.small * 1.2, s, part.rows, part.columns, part.w, limitW);
      });
    }

    function matrix(g, x, y, s, rows, columns, values, limit) {
      const { theme } = ctx;
      const font = Math.max(8, Math.min(theme.small, s * 0.4));
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          const v = values[i * columns + j];
          const color = theme.diverging(v === null ? 0 : v / limit);
          g.fillStyle = css(color);
          g.globalAlpha = v === null ? 0.35 : 1;
          g.fillRect(x + j * s, y + i * s, s - 1, s - 1);
          g.globalAlpha = 1;
          if (s < theme.small * 1.65) continue;
          g.font = theme.font(font);
          g.fillStyle = v === null ? theme.text : inkOn(color);
          g.textAlign = "center";
          g.textBaseline = "middle";
          g.fillText(clip(g, v === null ? "pad" : number(v, 2), s - 3), x + (j + 0.5) * s, y + (i + 0.5) * s);
        }
      }
    }

    const how = ({ op, name, mean, deviation, weight, bias }, x) =>
      ({
        relu: () => `max(0, ${x})`,
        same: () => x,
        function: () => `${name}(${x})`,
        norm: () => `(${x} − ${around(mean)}) / ${number(deviation)} × ${around(weight)} + ${around(bias)}`,
      })[op]();
    const around = (v, digits) => (v < 0 ? `(${number(v, digits)})` : number(v, digits));

    function oneNumber(g, x, y, found, value) {
      const { theme } = ctx;
      const limit = Math.max(Math.abs(found.x), Math.abs(value), 1e-9);
      const s = theme.small * 4;
      matrix(g, x, y, s, 1, 1, [found.x], limit);
      text(g, theme, `→ ${how(found, "x")} →`, x + s * 1.2, y + s / 2 - theme.small / 2, s * 6);
      g.font = theme.font(theme.small);
      const room = g.measureText(`→ ${how(found, "x")} →`).width;
      matrix(g, x + s * 1.4 + Math.min(room, s * 6), y, s, 1, 1, [value], limit);
    }

    function linear(g, x, y, width, height, found) {
      const { theme } = ctx;
      const line = theme.small * 1.5;
      const count = Math.max(1, Math.min(SHOWN, Math.floor(height / line) - 3));
      const { shown, rest } = contributions(found, count);
      const limit = Math.max(...shown.map((c) => Math.abs(c.product)), 1e-9);
      const middle = x + width * 0.62;
      shown.forEach((c, k) => {
        const ty = y + k * line;
        text(g, theme, `input ${c.n}: ${number(c.x, 3)} × ${number(c.w, 3)}`, x, ty, width * 0.4);
        const bar = (c.product / limit) * width * 0.2;
        g.fillStyle = bar < 0 ? theme.negative : theme.positive;
        g.fillRect(Math.min(middle, middle + bar), ty, Math.abs(bar), line - 4);
        text(g, theme, number(c.product, 3), x + width, ty, width * 0.16, { align: "right" });
      });
      const left = found.w.length - shown.length;
      text(g, theme, `${left > 0 ? `${left} others: ${number(rest, 3)}, ` : ""}bias: ${number(found.bias, 3)}`, x, y + (shown.length + 0.4) * line, width, { color: theme.muted });
    }

    /** The sentence under the picture. */
    function tell() {
      said.replaceChildren();
      const here = at.layer === null ? null : layerOf(at.layer);
      where.textContent = here ? `${title(here)}, ${size(here)}${at.map === null ? "" : `, map ${at.map}`}` : "";
      up.hidden = at.map === null;
      home.setAttribute("aria-pressed", String(!here));
      if (!data) return;
      if (!here) {
        const one = pointed ? layerOf(pointed.layer) : null;
        if (one) said.append(`${title(one)}: ${one.shape.join(" × ")}, values ${number(lowest(one), 3)} to ${number(highest(one), 3)}${less(one)}`);
        else said.append(`${data.hint || "Each column is what a layer makes of the picture."} Click one to see all its maps, then a map to see single sums.`);
        return;
      }
      if (at.map === null) {
        const m = pointed?.map ?? null;
        if (m !== null && m < here.ranges.length / 2) said.append(`map ${m}: black is ${number(here.ranges[2 * m], 4)}, white is ${number(here.ranges[2 * m + 1], 4)}`);
        else said.append(`Black and white are the lowest and highest value of ${data.scale === "map" ? "each map" : `the ${data.scale}`}${less(here)}. Click a map to see how each of its numbers comes about.`);
        return;
      }
      said.append(sentence(here));
    }

    const lowest = (one) => Math.min(...one.ranges.filter((_, k) => k % 2 === 0));
    const highest = (one) => Math.max(...one.ranges.filter((_, k) => k % 2 === 1));
    const less = (one) => {
      const [n, h] = one.tiles.shape;
      const parts = [];
      if (n < one.shape[0]) parts.push(`the first ${n} of ${one.shape[0]} maps`);
      if (h < one.shape[1]) parts.push(`reduced from ${one.shape[1]} × ${one.shape[2]}`);
      return parts.length ? ` (${parts.join(", ")})` : "";
    };

    function sentence(one) {
      const found = open(one);
      if (!found) return data.asks ? "…" : "";
      const [, h, w] = one.shape;
      const place = `output[${h * w > 1 ? [at.map, ...cell].join(", ") : at.map}]`;
      const { cell: from, value: real } = found;
      const computed = `PyTorch computed ${number(real)}`;
      if (!from) return `${place} = ${number(real)}`;
      if (from.op === "function") return `${place} = ${how(from, around(from.x))} = ${number(real)}`;
      if (!from.parts && from.op !== "linear") return `${place} = ${how(from, around(from.x))} = ${number(result(from))}; ${computed}.`;
      if (from.op === "linear") return `${place} = the sum of ${from.w.length} products + bias ${number(from.bias)} = ${number(result(from))}; ${computed}. The largest are listed.`;
      const { parts } = from;
      if (from.op !== "conv") {
        const few = parts[0].x.slice(0, SHOWN * 2).map((v) => (v === null ? "padding" : number(v)));
        const more = parts[0].x.length - few.length;
        return `${place} = ${from.op === "max" ? "the largest" : "the mean"} of ${few.join(", ")}${more ? `, … (${more} more)` : ""} = ${number(result(from))}; ${computed}.`;
      }
      const many = foremost(parts).slice(0, SHOWN).map((part) => around(part.sum, 4));
      const rest = parts.length - many.length;
      return `${place} = ${many.join(" + ")}${rest ? ` + … (${rest} more)` : ""} + bias ${around(from.bias, 4)} = ${number(result(from))}; ${computed}. ${parts.length * parts[0].x.length} multiplications.`;
    }

    function show() {
      tell();
      ctx.redraw();
    }

    function hit(e) {
      const found = hits.find((b) => e.offsetX >= b.x && e.offsetY >= b.y && e.offsetX < b.x + b.w && e.offsetY < b.y + b.h);
      if (!found?.cells) return found ?? null;
      const [h, w] = found.cells;
      return { ...found, cell: [Math.min(h - 1, Math.floor(((e.offsetY - found.y) / found.h) * h)), Math.min(w - 1, Math.floor(((e.offsetX - found.x) / found.w) * w))] };
    }

    canvas.onpointermove = (e) => {
      const now = hit(e);
      if (now?.cell) {
        if (data.asks || now.cell.join() === cell.join()) return; // a large network's cells answer a click
        cell = now.cell;
      } else if (now?.layer === pointed?.layer && now?.map === pointed?.map) return;
      pointed = now;
      show();
    };
    canvas.onpointerleave = () => {
      pointed = null;
      show();
    };
    canvas.onclick = (e) => {
      const now = hit(e);
      if (now?.cell && data.asks) {
        cell = now.cell;
        ask();
        show();
      } else if (now && !now.cell) go(now.layer, now.map);
    };
    canvas.onkeydown = (e) => {
      const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[e.key];
      const here = at.layer === null ? null : layerOf(at.layer);
      if (by && here && at.map !== null) {
        cell = [0, 1].map((k) => Math.max(0, Math.min(here.shape[k + 1] - 1, cell[k] + by[k])));
        if (data.asks) ask();
      } else if (by && hits.length) {
        const now = hits.findIndex((b) => b.layer === pointed?.layer && b.map === (pointed?.map ?? null));
        pointed = hits[Math.max(0, Math.min(hits.length - 1, now < 0 ? 0 : now + by[0] + by[1]))];
      } else if (e.key === "Enter" && pointed && at.map === null) {
        go(pointed.layer, pointed.map);
      } else if (e.key === "Escape" && here) {
        go(at.map === null ? null : at.layer, null);
      } else return;
      e.preventDefault();
      show();
    };

    function take(now) {
      const before = layers;
      images.clear();
      data = now;
      layers = now.layers;
      if (at.layer !== null && !layerOf(at.layer)) at = { layer: null, map: null };
      if (before.length !== layers.length) pointed = null;
      show();
    }

    return {
      update(given) {
        if (!ctx.feed && given.picture) take(given);
      },
      news(feed) {
        const frame = feed.shown;
        if (!feed.scene || !frame?.maps?.length) return;
        take({
          picture: feed.scene.picture, layers: frame.maps, scale: "map", classes: feed.scene.classes,
          probabilities: frame.probabilities, weights: frame.multiplied, asks: false,
        });
      },
      paint,
    };
  },
});

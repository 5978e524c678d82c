// A flame chart of a profile: zoom, pan, search, and the way from a forward operation to its backward.

import { clip, fit } from "../shared/canvas.js";
import { icon } from "../shared/icons.js";
import { button } from "../shared/player.js";
import { ticks } from "../shared/scale.js";
import { Tip, define, make } from "../shared/view.js";
import { duration, panned, rowsOf, visible, zoomed } from "./layout.js";

const CSS = `
.bar input[type=search] { width: 11em; background: var(--st-background-color); border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius, 0.5rem); padding: 0.1em 0.5em; }
.said { min-height: 1.5em; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.key { display: inline-block; width: 0.9em; height: 0.9em; border-radius: 2px; }
.timeline canvas { cursor: grab; }
`;
const ARROWS = 400; // drawn at once; more would be a grey veil

export default define({
  css: CSS,
  create(ctx) {
    const canvas = make("canvas", { tabindex: "0", role: "application" });
    const area = make("div", { class: "fill timeline" }, canvas);
    const note = make("div", { class: "note", hidden: "" });
    const said = make("div", { class: "said", role: "status", "aria-live": "polite" });
    const search = make("input", { type: "search", placeholder: "Find an operation", "aria-label": "Find an operation", oninput: () => find() });
    const arrows = make("input", { type: "checkbox", checked: "", onchange: () => ctx.redraw() });
    const legend = make("span", { class: "item" });
    area.append(note);
    ctx.root.append(
      make("div", { class: "bar" },
        button("−", "Zoom out", () => zoom(2)), button("+", "Zoom in", () => zoom(0.5)), button(icon("whole"), "Show everything", () => home()),
        button(icon("forward"), "Next match", () => next(1)), search, make("label", { class: "item" }, arrows, "forward → backward"), legend),
      area, said,
    );
    const tip = new Tip(area);
    let data = null;
    let rows = [];
    let rowOf = null; // event → its row
    let end = 1;
    let view = [0, 1];
    let scroll = 0; // pixels of rows above the upper edge
    let tall = 0; // pixels of all rows
    let chosen = -1;
    let hits = null; // name → whether the search finds it
    let last = null; // geometry of the last paint
    let drag = null;
    let partners = new Map();

    function take(frame) {
      data = frame;
      rows = rowsOf(data);
      rowOf = new Int32Array(data.start.length);
      rows.forEach((row, r) => row.events.forEach((e) => { rowOf[e] = r; }));
      end = 1;
      for (let i = 0; i < data.start.length; i++) end = Math.max(end, data.start[i] + data.duration[i]);
      partners = new Map();
      for (let i = 0; i < data.arrows.length; i += 2) {
        const [a, b] = [data.arrows[i], data.arrows[i + 1]];
        partners.set(a, [...(partners.get(a) ?? []), b]);
        partners.set(b, [...(partners.get(b) ?? []), a]);
      }
      const used = new Set(data.kind);
      legend.replaceChildren(...data.kinds.flatMap((name, k) => (used.has(k) ? [swatch(k), make("span", {}, name)] : [])));
      chosen = -1;
      scroll = 0;
      home();
      find();
    }

    function swatch(kind) {
      const box = make("span", { class: "key" });
      box.style.background = color(kind);
      return box;
    }

    const color = (kind) => ctx.theme.categorical[kind % ctx.theme.categorical.length];

    function home() {
      look([0, end]);
    }

    function look(wanted) {
      view = wanted;
      ctx.root.dataset.from = String(view[0]);
      ctx.root.dataset.to = String(view[1]);
      ctx.redraw();
    }

    function zoom(factor, at = (view[0] + view[1]) / 2) {
      look(zoomed(view, factor, at, end));
    }

    function pan(pixels) {
      look(panned(view, (pixels / (last?.width ?? 1000)) * (view[1] - view[0]), end));
    }

    function find() {
      const text = search.value.trim().toLowerCase();
      hits = text && data ? data.names.map((name) => name.toLowerCase().includes(text)) : null;
      if (hits) {
        const found = data.name.reduce((n, name) => n + (hits[name] ? 1 : 0), 0);
        said.textContent = `${found} of ${data.start.length} events match “${search.value.trim()}”.`;
      } else tell();
      ctx.redraw();
    }

    function next(by) {
      if (!data) return;
      const count = data.start.length;
      for (let n = 1; n <= count; n++) {
        const i = (((chosen + by * n) % count) + count) % count;
        if (!hits || hits[data.name[i]]) return choose(i, true);
      }
    }

    function choose(event, go = false) {
      chosen = event;
      if (go && event >= 0) {
        const [t, d] = [data.start[event], data.duration[event]];
        const span = Math.min(end, Math.max(d * 8, (view[1] - view[0]) / 4));
        if (t < view[0] || t + d > view[1] || d < (view[1] - view[0]) / 200) look(panned([t + d / 2 - span / 2, t + d / 2 + span / 2], 0, end));
        if (last) {
          const y = rows[rowOf[event]].y - scroll;
          if (y < 0 || y > last.height - last.top - last.row) scrollTo(rows[rowOf[event]].y - last.height / 3);
        }
      }
      tell();
      ctx.redraw();
    }

    function tell() {
      ctx.root.dataset.chosen = String(chosen);
      if (!data) return;
      if (chosen < 0) {
        said.textContent = `${data.start.length} events in ${duration(end)} on ${data.lanes.join(", ")}. Wheel zooms, drag moves, click chooses.`;
        return;
      }
      const other = partners.get(chosen) ?? [];
      const mate = other.length ? `; belongs to ${other.slice(0, 3).map((o) => data.names[data.name[o]]).join(", ")}${other.length > 3 ? ", …" : ""}` : "";
      said.textContent = `${data.names[data.name[chosen]]}: ${duration(data.duration[chosen])}, from ${duration(data.start[chosen])}, on ${data.lanes[data.lane[chosen]]}${mate}`;
    }

    function scrollTo(to) {
      const most = last ? Math.max(0, tall - (last.height - last.top)) : 0;
      scroll = Math.max(0, Math.min(most, to));
      ctx.redraw();
    }

    function paint() {
      const { g, width, height } = fit(canvas);
      const { theme } = ctx;
      note.hidden = data !== null;
      canvas.setAttribute("aria-label", `${ctx.alt} Arrow keys move, plus and minus zoom, Enter goes to the next event.`);
      if (!data) {
        note.textContent = "Waiting for the profile.";
        return;
      }
      const small = theme.rem > 20 ? Math.max(18, theme.small) : theme.small;
      const top = small * 1.7;
      const row = Math.round(small * 1.45);
      let y = 0;
      let lane = -1;
      for (const one of rows) {
        if (one.lane !== lane) {
          y += lane < 0 ? row : row * 1.4;
          lane = one.lane;
        }
        one.y = y;
        y += row;
      }
      tall = y;
      last = { width, height, top, row };
      scroll = Math.max(0, Math.min(scroll, Math.max(0, tall - (height - top))));
      const [from, to] = view;
      const per = width / (to - from);
      const { start, duration: lasts, kind, name } = data;
      let drawn = 0;
      g.save();
      g.beginPath();
      g.rect(0, top, width, height - top);
      g.clip();
      const labels = [];
      const fills = data.kinds.map((_, k) => color(k));
      let fill = null;
      for (const one of rows) {
        const at = top + one.y - scroll;
        if (at + row < top || at > height) continue;
        drawn += visible(one.events, start, lasts, from, to, width, (event, x0, x1) => {
          const dim = hits && !hits[name[event]];
          const wanted = dim ? theme.grid : fills[kind[event]];
          if (wanted !== fill) g.fillStyle = fill = wanted;
          g.fillRect(x0, at, Math.max(0.7, x1 - x0 - (x1 - x0 > 3 ? 1 : 0)), row - 1);
          if (x1 - x0 > small * 2.2) labels.push(event, x0, x1, at, dim);
        });
      }
      g.font = theme.font(small * 0.92);
      g.textBaseline = "middle";
      g.textAlign = "left";
      for (let i = 0; i < labels.length; i += 5) {
        const [event, x0, x1, at, dim] = labels.slice(i, i + 5);
        g.fillStyle = dim ? theme.muted : theme.dark ? "#111111" : "#ffffff";
        g.fillText(clip(g, short(data.names[name[event]]), x1 - x0 - 8), x0 + 4, at + row / 2);
      }
      lane = -1;
      for (const one of rows) {
        if (one.lane === lane) continue;
        lane = one.lane;
        g.fillStyle = theme.text;
        g.font = theme.font(small, 600);
        g.fillText(data.lanes[lane], 4, top + one.y - scroll - row / 2);
      }
      if (arrows.checked) link(g, theme, per, top, row);
      if (chosen >= 0) {
        const one = rows[rowOf[chosen]];
        g.strokeStyle = theme.text;
        g.lineWidth = theme.line * 1.3;
        g.strokeRect((start[chosen] - from) * per, top + one.y - scroll, Math.max(2, lasts[chosen] * per), row - 1);
      }
      g.restore();
      axis(g, theme, small, per, top, width);
      ctx.root.dataset.drawn = String(drawn);
      ctx.root.dataset.events = String(start.length);
    }

    function link(g, theme, per, top, row) {
      const [from, to] = view;
      const { start, duration: lasts } = data;
      const pairs = [];
      for (let i = 0; i < data.arrows.length && pairs.length < ARROWS; i += 2) {
        const [a, b] = [data.arrows[i], data.arrows[i + 1]];
        const mine = chosen >= 0 && (a === chosen || b === chosen);
        if (chosen >= 0 && partners.has(chosen) && !mine) continue;
        if (start[b] < from || start[a] > to) continue;
        pairs.push([a, b, mine]);
      }
      const faint = pairs.length > 40 && !pairs.some((p) => p[2]);
      for (const [a, b, mine] of pairs) {
        const x0 = (start[a] + lasts[a] - from) * per;
        const x1 = (start[b] - from) * per;
        const y0 = top + rows[rowOf[a]].y - scroll + row / 2;
        const y1 = top + rows[rowOf[b]].y - scroll + row / 2;
        g.globalAlpha = mine ? 1 : faint ? 0.15 : 0.5;
        g.strokeStyle = g.fillStyle = theme.text;
        g.lineWidth = mine ? theme.line : 1;
        g.beginPath();
        g.moveTo(x0, y0);
        const bow = Math.min(80, Math.abs(x1 - x0) / 3 + 10);
        g.bezierCurveTo(x0 + bow, y0 + bow / 2, x1 - bow, y1 + bow / 2, x1, y1);
        g.stroke();
        g.beginPath();
        g.moveTo(x1, y1);
        g.lineTo(x1 - 7, y1 - 3.5);
        g.lineTo(x1 - 7, y1 + 3.5);
        g.fill();
      }
      g.globalAlpha = 1;
    }

    function axis(g, theme, small, per, top, width) {
      g.font = theme.font(small);
      g.fillStyle = theme.muted;
      g.strokeStyle = theme.axis;
      g.lineWidth = 1;
      g.textAlign = "center";
      g.textBaseline = "top";
      g.beginPath();
      for (const t of ticks(view[0], view[1], Math.max(2, Math.floor(width / (small * 7))))) {
        const x = (t - view[0]) * per;
        g.moveTo(x, top - 5);
        g.lineTo(x, top - 1);
        const half = small * 2.2;
        g.fillText(t ? duration(t) : "0", Math.max(half, Math.min(width - half, x)), 1);
      }
      g.stroke();
    }

    const short = (text) => text.replace("autograd::engine::evaluate_function: ", "").replace(/^aten::/, "");

    function under(x, y) {
      if (!data || !last || y < last.top) return -1;
      const at = y - last.top + scroll;
      const one = rows.find((r) => at >= r.y && at < r.y + last.row);
      if (!one) return -1;
      const [from, to] = view;
      const per = last.width / (to - from);
      let found = -1;
      visible(one.events, data.start, data.duration, from + (x - 2) / per, from + (x + 2) / per, 4, (event) => { found = event; });
      return found;
    }

    canvas.onwheel = (e) => {
      if (!data || (!e.ctrlKey && document.activeElement !== ctx.host && ctx.root.getRootNode().activeElement !== canvas)) return;
      e.preventDefault();
      if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) pan(e.deltaX || e.deltaY);
      else zoom(Math.exp(Math.max(-1, Math.min(1, e.deltaY / 300))), view[0] + (e.offsetX / last.width) * (view[1] - view[0]));
    };
    canvas.onpointerdown = (e) => {
      canvas.focus({ preventScroll: true });
      drag = { x: e.offsetX, y: e.offsetY, view, scroll, moved: false };
      canvas.setPointerCapture?.(e.pointerId);
      canvas.style.cursor = "grabbing";
    };
    canvas.onpointermove = (e) => {
      if (!drag) {
        const event = under(e.offsetX, e.offsetY);
        if (event < 0) tip.hide();
        else tip.show(e.offsetX, e.offsetY, [data.names[data.name[event]], duration(data.duration[event])]);
        return;
      }
      const [dx, dy] = [e.offsetX - drag.x, e.offsetY - drag.y];
      if (Math.abs(dx) + Math.abs(dy) > 3) drag.moved = true;
      if (!drag.moved) return;
      tip.hide();
      look(panned(drag.view, (-dx / last.width) * (drag.view[1] - drag.view[0]), end));
      scrollTo(drag.scroll - dy);
    };
    canvas.onpointerup = (e) => {
      canvas.style.cursor = "";
      if (drag && !drag.moved) choose(under(e.offsetX, e.offsetY));
      drag = null;
    };
    canvas.onpointercancel = () => { drag = null; };
    canvas.onpointerleave = () => tip.hide();
    canvas.ondblclick = (e) => {
      const event = under(e.offsetX, e.offsetY);
      if (event < 0) return;
      const [t, d] = [data.start[event], Math.max(0.05, data.duration[event])];
      look(panned([t - d * 0.1, t + d * 1.1], 0, end));
    };
    canvas.onkeydown = (e) => {
      const quarter = (last?.width ?? 0) / 4;
      const act = {
        ArrowRight: () => pan(quarter), ArrowLeft: () => pan(-quarter), ArrowDown: () => scrollTo(scroll + 40), ArrowUp: () => scrollTo(scroll - 40),
        "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), Home: home, Enter: () => next(e.shiftKey ? -1 : 1), Escape: () => choose(-1),
      }[e.key];
      if (!act || !data) return;
      e.preventDefault();
      act();
    };
    search.onkeydown = (e) => { if (e.key === "Enter") next(e.shiftKey ? -1 : 1); };

    return {
      update(next) {
        if (next.frame) take(next.frame);
      },
      news(feed) {
        if (feed.frame && feed.frame !== data && feed.frame.start) take(feed.frame);
      },
      restyle() {
        if (data) take(data);
      },
      paint,
    };
  },
});

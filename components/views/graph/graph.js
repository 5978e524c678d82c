// The graph of a recorded program, stepped through forwards and backwards: boxes, edges, and one equation at a time.

import { icon } from "../shared/icons.js";
import { button, player } from "../shared/player.js";
import { inkOn } from "../shared/scale.js";
import { css } from "../shared/theme.js";
import { Tip, define, make } from "../shared/view.js";
import { layout } from "./layout.js";
import { brief, isArray, matrix, say, shapeText } from "./numbers.js";
import { MOST, groupOf, groups, levelFor, outlet, schedule, units } from "./units.js";

const SVG = "http://www.w3.org/2000/svg";
const MANY = 70; // nodes from which lines start folded
const COLOURS = { kind: "kind", value: "|value|", grad: "|gradient|", time: "time", bytes: "bytes" };

const CSS = `
.main { display: flex; min-height: 0; flex: 1 1 0; margin-top: 0.2rem; }
.foot { display: flex; gap: 0.8rem; flex: none; height: 35%; min-height: 7.5rem; }
.code { flex: 0 0 auto; max-width: 32%; min-width: 9rem; margin: 0; padding: 0.3rem 0 0 0; overflow: auto; list-style: none; counter-reset: line;
  font-family: var(--st-code-font, monospace); font-size: max(12px, 0.8rem); }
.code li { display: flex; flex-wrap: wrap; white-space: pre-wrap; border-left: 0.2rem solid transparent; padding: 0.1rem 0.3rem; border-radius: 0.2rem; }
.code li::before { counter-increment: line; content: counter(line); color: var(--st-text-color); opacity: 0.72; width: 1.8em; flex: none; text-align: right; padding-right: 0.7em; }
.code li span { flex: 1 1 0; min-width: 0; overflow-wrap: anywhere; }
.code li.hot { background: var(--st-secondary-background-color); }
.code li.lit { border-left-color: var(--st-primary-color); background: var(--st-secondary-background-color); }
.code li.wrong { text-decoration: underline wavy var(--st-red-color, #c62828); }
.view .code button { border: none; background: none; padding: 0 0.3em; margin-left: 0.6em; opacity: 0.8; text-decoration: underline; white-space: nowrap; }
.area { flex: 1 1 0; min-width: 0; position: relative; border: 1px solid var(--st-border-color); border-radius: 0.4rem; overflow: hidden; }
.area svg { position: absolute; inset: 0; width: 100%; height: 100%; cursor: grab; touch-action: pan-y; user-select: none; }
.area svg.dragged { cursor: grabbing; }
.equation { flex: 1 1 0; min-width: 0; overflow: auto; padding: 0.3rem 0.1rem 0; font-size: max(13px, 0.9rem); }
.equation h4 { margin: 0 0 0.2rem; font-size: max(14px, 0.95rem); font-weight: 600; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 0.6rem; margin: 0.15rem 0 0.4rem; }
.row > b { font-weight: 600; }
.sign { font-size: 1.15em; }
.matrix { margin: 0; display: inline-block; max-width: 100%; overflow: auto; }
.matrix figcaption { font-size: max(12px, 0.8rem); }
.cells { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.cells td { padding: 0.08rem 0.4rem; text-align: right; font-size: max(12px, 0.82rem); border: 1px solid var(--st-background-color); }
.cells.fine td { padding: 0; width: 0.75rem; height: 0.75rem; border: none; }
.cells .bad { background: repeating-linear-gradient(45deg, transparent 0 3px, var(--st-red-color, #c62828) 3px 5px); color: var(--st-text-color); font-weight: 700; }
.small { font-size: max(12px, 0.8rem); }
.freed { opacity: 0.62; text-decoration: line-through; }
.freed table { filter: grayscale(1); }
.equation input { width: 7em; background: var(--st-background-color); border: 1px solid var(--st-border-color); padding: 0.1em 0.3em; border-radius: 0.3rem; }
.search { width: 9em; background: var(--st-background-color); border: 1px solid var(--st-border-color); padding: 0.1em 0.4em; border-radius: 0.4rem; }
select { background: var(--st-background-color); border: 1px solid var(--st-border-color); border-radius: 0.4rem; padding: 0.1em 0.2em; }
.track { flex: 1 1 6rem; max-width: 16rem; }
g.node { cursor: pointer; }
g.node:focus { outline: none; }
g.node:focus-visible rect.box { stroke-width: 3.5; }
`;

/** How far text may shrink below the theme's small size: not at all where it is read from the back row. */
const shrunk = (theme, scale) => (theme.rem > 20 ? 1 : scale);

const svg = (tag, attributes = {}, ...children) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

export default define({
  css: CSS,
  create(ctx) {
    let data = null;
    let plan = null; // schedule: when each node runs, and what it gets
    let position = 0; // backward steps done
    let folded = new Set();
    let level = 1;
    let shape = ""; // what the drawn boxes depend on
    let net = null; // {boxes, boxOf, edges, place, nodes: [elements], paths: [elements]}
    let view = { k: 1, x: 0, y: 0 };
    let selected = -1; // a node
    let hovered = -1; // a box
    let colour = "kind";
    let predicting = false;
    let revealed = new Set();
    let guess = null;
    let rebuild = true;
    let refit = true;

    // ---- controls -----------------------------------------------------------------------------------------------
    const walker = player({
      what: "walk through the backward pass",
      speeds: [0.5, 1, 2, 4, 8],
      start: 1,
      home: () => go(0),
      begin: () => position >= data.steps.length && go(0),
      move: (by) => {
        go(position + by);
        if (position >= data.steps.length) stop();
      },
    });
    const { stop, toggle } = walker;
    const track = make("input", {
      class: "track", type: "range", min: "0", max: "0", value: "0", "aria-label": "Backward step",
      oninput: () => { stop(); go(Number(track.value)); },
    });
    const said = make("span", { class: "said" });
    const paint = make("select", { "aria-label": "Colour by", onchange: () => { colour = paint.value; ctx.redraw(); } },
      ...Object.entries(COLOURS).map(([value, text]) => make("option", { value }, text)));
    const detail = make("select", { "aria-label": "Detail", onchange: () => fold(detail.value) },
      make("option", { value: "all" }, "every operation"), make("option", { value: "lines" }, "one box per line"),
      make("option", { value: "own", hidden: "" }, "own choice"));
    const search = make("input", { class: "search", type: "search", placeholder: "Find a node", "aria-label": "Find a node", oninput: () => find(false),
      onkeydown: (e) => { if (e.key === "Enter") find(true); e.stopPropagation(); } });
    const predict = make("input", { type: "checkbox", onchange: () => { predicting = predict.checked; revealed = new Set(); guess = null; ctx.redraw(); } });
    const legend = make("span", { class: "small" });
    const crowd = make("span", { class: "small", role: "status" });
    const code = make("ol", { class: "code", "aria-label": "Your program" });
    const edges = svg("g");
    const nodes = svg("g");
    const marker = (id) => svg("marker", { id, viewBox: "0 0 10 10", refX: "8.5", refY: "5", markerWidth: "6", markerHeight: "6", orient: "auto-start-reverse" },
      svg("path", { d: "M0,0L10,5L0,10z" }));
    const arrows = [marker("arrow"), marker("back")];
    const stage = svg("g", {}, edges, nodes);
    const canvas = svg("svg", { tabindex: "0", role: "application", "aria-label": "Graph. Left and right step through backward, up and down walk the nodes." },
      svg("defs", {}, ...arrows), stage);
    const area = make("div", { class: "area" }, canvas);
    const tip = new Tip(area);
    const equation = make("div", { class: "equation" });
    const spoken = make("div", { class: "spoken", role: "status", "aria-live": "polite" });
    const looks = make("div", { class: "bar" },
        make("label", { class: "item" }, "Colour", paint), make("label", { class: "item" }, "Show", detail), search,
        button("+", "Zoom in", () => zoom(1.25)), button("−", "Zoom out", () => zoom(0.8)), button("Fit", "Fit the graph", () => { refit = "whole"; ctx.redraw(); }),
        make("label", { class: "item" }, predict, "Predict first"), legend, crowd);
    ctx.root.append(
      make("div", { class: "bar" },
        ...walker.items, button(icon("last"), "To the end of backward", () => { stop(); go(Infinity); }), track, said),
      looks,
      make("div", { class: "main" }, area),
      make("div", { class: "foot" }, code, equation),
      spoken,
    );
    ctx.root.addEventListener("keydown", (event) => {
      const typing = /INPUT|SELECT/.test(event.target.tagName ?? "") && event.target !== track;
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      const keys = {
        ArrowRight: () => walker.step(1), ArrowLeft: () => walker.step(-1),
        Home: () => { stop(); go(0); }, End: () => { stop(); go(Infinity); },
        ArrowDown: () => walk(1), ArrowUp: () => walk(-1), Escape: () => pick(-1),
        "+": () => zoom(1.25), "-": () => zoom(0.8), 0: () => { refit = "whole"; ctx.redraw(); },
        f: () => selected >= 0 && flip(groupOf(data.nodes[selected], level)),
      };
      if (event.key === " " && event.target === canvas) keys[" "] = () => toggle();
      if (!(event.key in keys)) return;
      event.preventDefault();
      keys[event.key]();
    });

    // ---- stepping -----------------------------------------------------------------------------------------------
    function go(to) {
      const last = data.steps.length;
      const next = Math.max(0, Math.min(last, to));
      if (next === position && selected < 0) return;
      position = next;
      selected = -1;
      guess = null;
      follow();
      ctx.redraw();
    }

    const current = () => (position > 0 ? data.steps[position - 1] : null);
    const hidden = (k) => predicting && k === position - 1 && !revealed.has(k);

    // ---- folding ------------------------------------------------------------------------------------------------
    function fold(choice) {
      if (choice === "own") return;
      level = levelFor(data.nodes);
      const many = data.nodes.length > MOST;
      folded = new Set(choice === "lines" || many ? groups(data.nodes, level).keys() : []);
      crowd.textContent = many && choice === "all" ? `${data.nodes.length} operations are more than ${MOST} boxes: unfold the lines you care about` : "";
      changed();
    }

    function flip(group) {
      if (!group || !groups(data.nodes, level).has(group)) return;
      if (folded.has(group)) folded.delete(group);
      else folded.add(group);
      changed();
    }

    function changed() {
      const all = groups(data.nodes, level).size;
      detail.value = folded.size === 0 ? "all" : folded.size === all ? "lines" : "own";
      rebuild = refit = true;
      ctx.redraw();
    }

    // ---- finding, picking, moving -------------------------------------------------------------------------------
    function matches() {
      const word = search.value.trim().toLowerCase();
      if (!word) return [];
      return data.nodes.flatMap((n, i) => ([n.name, n.label, n.op, n.call].some((t) => t.toLowerCase().includes(word)) ? [i] : []));
    }

    function find(next) {
      const found = matches();
      if (found.length && (next || !found.includes(selected))) {
        const after = found.find((i) => i > selected);
        pick(next && after !== undefined ? after : found[0]);
      }
      ctx.redraw();
    }

    function pick(node) {
      selected = node;
      if (node >= 0) follow();
      ctx.redraw();
    }

    function walk(by) {
      const count = data.nodes.length;
      const from = selected >= 0 ? selected : current()?.vertex ?? -1;
      pick((((from + by) % count) + count) % count);
    }

    function zoom(by, at = null) {
      const { clientWidth: w, clientHeight: h } = area;
      const [px, py] = at ?? [w / 2, h / 2];
      const k = Math.max(0.08, Math.min(4, view.k * by));
      view = { k, x: px - ((px - view.x) * k) / view.k, y: py - ((py - view.y) * k) / view.k };
      ctx.redraw();
    }

    /** Everything in sight; at first only as far as the text stays readable, then what is stepped through is in sight. */
    function fit(whole) {
      const { clientWidth: w, clientHeight: h } = area;
      const pad = 14;
      const top = ctx.theme.rem * 1.1; // the badge above the highest box
      const both = Math.min((w - 2 * pad) / net.place.width, (h - pad - top) / net.place.height);
      const least = ctx.theme.rem > 20 ? 18 : 12; // pixels of text; the larger in projector mode
      const readable = Math.min(1, least / ctx.theme.small);
      const smallest = whole ? 0.08 : readable * shrunk(ctx.theme, 0.9);
      const k = both > smallest ? Math.min(1.15, both) : whole ? smallest : readable;
      const start = (room, size, least) => (size * k > room ? least : Math.max(least, (room - size * k) / 2));
      view = { k, x: start(w, net.place.width, pad), y: start(h, net.place.height, top) };
      if (!whole) follow();
    }

    /** Bring the box that matters into sight. */
    function follow() {
      const node = selected >= 0 ? selected : current()?.vertex ?? -1;
      if (node < 0 || !net) return;
      const box = net.boxOf[node];
      const [sx, sy] = [net.place.x[box] * view.k + view.x, net.place.y[box] * view.k + view.y];
      const { clientWidth: w, clientHeight: h } = area;
      // only as far as needed, with a neighbour on each side where there is room
      const [mx, my] = [Math.min(w / 2, net.width * view.k * 1.6), Math.min(h / 2, net.height * view.k * 0.95)];
      const into = (at, least, most) => Math.max(least - at, 0) + Math.min(most - at, 0);
      const ends = { left: net.width / 2, right: net.place.width - net.width / 2, top: net.height / 2, bottom: net.place.height - net.height / 2 };
      const side = (at, end, margin, half) => (Math.abs(at - end) < 1 ? Math.min(margin, half * view.k + 14) : margin);
      const [x, y] = [net.place.x[box], net.place.y[box]];
      view.x += into(sx, side(x, ends.left, mx, net.width / 2), w - side(x, ends.right, mx, net.width / 2));
      view.y += into(sy, side(y, ends.top, my, net.height * 0.8), h - side(y, ends.bottom, my, net.height / 2));
    }

    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls the page
      event.preventDefault();
      const box = area.getBoundingClientRect();
      zoom(event.deltaY < 0 ? 1.12 : 0.89, [event.clientX - box.left, event.clientY - box.top]);
    }, { passive: false });
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.target.closest("g.node")) return;
      drag = { x: event.clientX - view.x, y: event.clientY - view.y, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) return;
      drag.moved = true;
      canvas.classList.add("dragged");
      view = { ...view, x: event.clientX - drag.x, y: event.clientY - drag.y };
      ctx.redraw();
    });
    canvas.addEventListener("pointerup", () => {
      if (drag && !drag.moved) pick(-1);
      drag = null;
      canvas.classList.remove("dragged");
    });
    canvas.addEventListener("pointercancel", () => { drag = null; });

    // ---- the drawn boxes ----------------------------------------------------------------------------------------
    function build() {
      const { theme } = ctx;
      const made = units(data.nodes, data.edges, folded, level);
      const far = theme.rem > 20; // on a projector: large text, so little else
      looks.hidden = far;
      const width = theme.rem * (far ? 7.2 : 8);
      const height = theme.rem * 3.5;
      const place = layout(made.boxes.length, made.edges.map((e) => [e.from, e.to]), { width, height, gapX: theme.rem * (far ? 1.2 : 1.7), gapY: theme.rem * 0.9 });
      net = { ...made, place, width, height };
      for (const box of net.boxes) box.outlet = outlet(box, data.edges);
      net.paths = net.edges.map((edge, e) => svg("path", { d: curve(place.paths[e]), fill: "none" }));
      edges.replaceChildren(...net.paths);
      net.nodes = net.boxes.map((box, b) => boxElement(box, b, width, height, theme));
      nodes.replaceChildren(...net.nodes.map((n) => n.g));
      writeCode();
    }

    function boxElement(box, b, width, height, theme) {
      const [w, h] = [width, height];
      const size = theme.small;
      const text = (x, y, anchor, weight = 400, scale = 1) => svg("text", { x, y, "text-anchor": anchor, "font-size": size * scale, "font-weight": weight, "font-family": theme.family, fill: theme.text });
      const rect = svg("rect", { class: "box", x: -w / 2, y: -h / 2, width: w, height: h, rx: data.nodes[box.outlet].kind === "leaf" ? h / 2.2 : 6 });
      const title = text(0, -h / 2 + size * 1.25, "middle", 600);
      const value = text(-w / 4, h / 2 - size * 0.75, "middle");
      const grad = text(w / 4, h / 2 - size * 0.75, "middle");
      const line = svg("path", { d: `M${-w / 2},${size * 0.05}H${w / 2}M0,${size * 0.05}V${h / 2}`, fill: "none", stroke: theme.axis, "stroke-width": 1 });
      const badge = text(w / 2 - 5, -h / 2 - size * 0.3, "end", 400, shrunk(theme, 0.86));
      const back = svg("rect", { x: -w / 2, y: -h / 2, width: w, height: h, rx: rect.getAttribute("rx"), fill: theme.background });
      const g = svg("g", { class: "node", tabindex: "-1", role: "button", transform: `translate(${net.place.x[b]},${net.place.y[b]})` }, back, rect, line, title, value, grad, badge);
      g.addEventListener("click", () => { stop(); pick(box.outlet); canvas.focus({ preventScroll: true }); });
      g.addEventListener("dblclick", () => flip(groupOf(data.nodes[box.outlet], level)));
      g.addEventListener("pointerenter", (event) => hover(b, event));
      g.addEventListener("pointermove", (event) => hover(b, event));
      g.addEventListener("pointerleave", () => hover(-1));
      return { g, rect, title, value, grad, badge, line };
    }

    function curve(points) {
      const [first, ...rest] = points;
      let [x, y] = first;
      let d = `M${x},${y}`;
      for (const [u, v] of rest) {
        const mid = (x + u) / 2;
        d += v === y ? `H${u}` : `C${mid},${y} ${mid},${v} ${u},${v}`;
        [x, y] = [u, v];
      }
      return d;
    }

    function short(node) {
      if (node.kind === "leaf" || node.kind === "constant") return node.label || node.name;
      const name = node.marks.includes("custom") || !node.op ? node.name.replace(/Backward\d*$/, "") : node.name === "CopySlices" ? "CopySlices" : (node.op.split(".")[1] ?? node.name).replace(/^_/, "");
      return node.label ? `${node.label} = ${name}` : name;
    }

    function boxTitle(box) {
      if (box.members.length === 1) return short(data.nodes[box.members[0]]);
      if (box.group.startsWith("m:")) return box.group.slice(2) || "module";
      if (box.group === "second") return "second order";
      const [number, turn] = box.group.split(":");
      const text = (data.lines[number - 1] ?? "").trim();
      return turn && Number(turn) > 1 ? `${text} (${turn})` : text;
    }

    const markText = { view: "view", "in-place": "in place", custom: "own", unused: "unused" };

    function gradText(i, room) {
      const node = data.nodes[i];
      if (node.kind === "constant" || node.kind === "untracked") return "no grad";
      const at = plan.runs[i];
      const got = plan.arrivals[i].filter((k) => k < position && !hidden(k));
      if (at >= 0 && at < position) {
        const step = data.steps[at];
        if (step.failed) return "failed here";
        if (hidden(at) && step.leaf) return "?";
        return brief(step.leaf ? step.after : step.incoming[0]?.total, room);
      }
      if (plan.arrivals[i].some((k) => hidden(k))) return "?";
      if (got.length) return plan.arrivals[i].length > 1 || node.kind === "leaf" ? `${got.length} of ${plan.arrivals[i].length} here` : brief(sent(i, got[0]), room);
      if (!data.steps.length) return "no grad";
      if (node.marks.includes("unused")) return "unused";
      return position === data.steps.length && at < 0 ? "not reached" : "not yet";
    }

    const sent = (i, k) => data.steps[k].outgoing.find((o) => o.target === i)?.grad;

    function refresh() {
      const { theme } = ctx;
      const step = current();
      const lit = step ? step.vertex : -1;
      const found = new Set(matches());
      const room = Math.floor(net.width / 2 / (theme.small * 0.53));
      const range = colourRange();
      stage.setAttribute("transform", `translate(${view.x},${view.y}) scale(${view.k})`);
      arrows[0].firstChild.setAttribute("fill", theme.axis);
      arrows[1].firstChild.setAttribute("fill", theme.primary);
      const litEdges = new Set();
      if (step) {
        data.edges.forEach(([from, to, out, slot], e) => {
          if (to === lit && slot >= 0 && step.outgoing.some((o) => o.slot === slot && o.target === from && o.grad !== null)) litEdges.add(e);
        });
      }
      const near = hovered >= 0 ? hovered : selected >= 0 ? net.boxOf[selected] : -1;
      net.edges.forEach((edge, e) => {
        const path = net.paths[e];
        const isLit = edge.of.some((n) => litEdges.has(n));
        const isNear = edge.from === near || edge.to === near;
        path.setAttribute("stroke", isLit ? theme.primary : isNear ? theme.text : theme.axis);
        path.setAttribute("stroke-width", isLit ? theme.line * 1.5 : isNear ? theme.line : theme.line * 0.7);
        path.setAttribute("stroke-dasharray", edge.tracked ? "none" : "5 4");
        path.setAttribute("class", isLit ? "edge lit" : "edge");
        path.setAttribute(isLit ? "marker-start" : "marker-end", isLit ? "url(#back)" : "url(#arrow)");
        path.removeAttribute(isLit ? "marker-end" : "marker-start");
      });
      net.boxes.forEach((box, b) => {
        const parts = net.nodes[b];
        const node = data.nodes[box.outlet];
        const isLit = lit >= 0 && net.boxOf[lit] === b;
        const isPicked = selected >= 0 && net.boxOf[selected] === b;
        const title = boxTitle(box);
        const value = brief(node.values[0], room);
        const grad = gradText(box.outlet, room);
        parts.title.textContent = cut(title, net.width / (theme.small * 0.58));
        for (const [part, words] of [[parts.value, value], [parts.grad, grad]]) {
          part.textContent = words;
          part.setAttribute("font-size", theme.small * Math.max(shrunk(theme, 0.78), Math.min(1, room / words.length)));
        }
        parts.grad.setAttribute("font-style", /[a-z]{2}/.test(grad) && !["nan", "inf"].includes(grad) ? "italic" : "normal");
        const marks = node.marks.map((m) => markText[m]).filter(Boolean);
        if (box.members.length > 1) marks.unshift(`${box.members.length} nodes`);
        if (node.kind === "untracked") marks.push("no graph");
        if (node.kind === "leaf" && box.members.length === 1) marks.push("leaf");
        if (node.madeBy >= 0 && box.members.length === 1) marks.push(`by ${data.nodes[node.madeBy].name}`);
        if (node.line && box.members.length === 1) marks.push(node.turn > 1 ? `line ${node.line}, turn ${node.turn}` : `line ${node.line}`);
        parts.badge.textContent = cut(marks.join(" · "), net.width / (theme.small * 0.47));
        const fill = fillOf(node, box, range, theme);
        parts.rect.setAttribute("fill", fill.color);
        for (const t of [parts.title, parts.value, parts.grad]) t.setAttribute("fill", fill.ink);
        const failed = isLit && step.failed;
        parts.rect.setAttribute("stroke", failed ? theme.text : isLit || isPicked || found.has(box.outlet) ? theme.primary : fill.stroke);
        parts.rect.setAttribute("stroke-width", isLit || isPicked ? theme.line * 1.7 : found.has(box.outlet) ? theme.line * 1.4 : theme.line * 0.6);
        parts.rect.setAttribute("stroke-dasharray", failed ? "3 3" : node.kind === "untracked" || node.kind === "constant" ? "5 4" : node.marks.includes("view") ? "9 3" : "none");
        parts.g.setAttribute("class", `node ${node.kind}${isLit ? " lit" : ""}${isPicked ? " picked" : ""}`);
        parts.g.style.opacity = node.marks.includes("unused") && node.kind !== "leaf" ? 0.6 : 1;
        // begins with what is written on the box, so that who says what he reads is understood
        const written = [...parts.g.querySelectorAll("text")].map((one) => one.textContent).join("");
        parts.g.setAttribute("aria-label", `${written}: ${title}, value ${value}, gradient ${grad}${marks.length ? `, ${marks.join(", ")}` : ""}`);
        parts.g.dataset.name = title;
      });
      for (const [n, li] of [...code.children].entries()) {
        const inBox = hovered >= 0 && net.boxes[hovered].members.some((i) => data.nodes[i].line === n + 1);
        li.classList.toggle("hot", inBox || li.matches(":hover"));
        li.classList.toggle("lit", lit >= 0 && data.nodes[lit].line === n + 1);
      }
      bars(step);
      writeEquation(step);
    }

    function bars(step) {
      const last = data.steps.length;
      track.max = String(last);
      track.value = String(position);
      said.textContent = last === 0 ? "no backward pass" : position === 0 ? `before backward (${last} steps)` : `step ${position} of ${last}: ${step.name}`;
      ctx.root.dataset.position = String(position);
      ctx.root.dataset.steps = String(last);
      if (spoken.textContent !== said.textContent) spoken.textContent = said.textContent;
    }

    // ---- colours ------------------------------------------------------------------------------------------------
    function colourRange() {
      if (colour === "kind") {
        legend.textContent = "";
        return null;
      }
      const sizes = net.boxes.map((box) => sizeOf(box)).filter((v) => v > 0 && Number.isFinite(v));
      if (!sizes.length) {
        legend.textContent = "nothing to colour yet";
        return null;
      }
      const [lo, hi] = [Math.min(...sizes), Math.max(...sizes)];
      const unit = { value: "", grad: "", time: " s", bytes: " B" }[colour];
      legend.textContent = `${COLOURS[colour]}: ${say(lo)}${unit} (pale) to ${say(hi)}${unit} (strong)`;
      return [Math.log(lo), Math.log(hi)];
    }

    function sizeOf(box) {
      if (colour === "time" || colour === "bytes") return box.members.reduce((s, i) => s + data.nodes[i].size[colour], 0);
      const at = plan.runs[box.outlet];
      if (colour === "grad" && !(at >= 0 && at < position)) return null;
      return data.nodes[box.outlet].size[colour];
    }

    function fillOf(node, box, range, theme) {
      if (colour !== "kind") {
        const size = sizeOf(box);
        if (range && size > 0) {
          const t = range[1] > range[0] ? (Math.log(size) - range[0]) / (range[1] - range[0]) : 1;
          const color = theme.sequential(0.1 + 0.85 * t);
          return { color: css(color), ink: inkOn(color), stroke: theme.axis };
        }
        return { color: theme.background, ink: theme.text, stroke: theme.axis };
      }
      const stroke = { leaf: theme.categorical[2], op: theme.categorical[node.marks.includes("custom") ? 3 : 0] }[node.kind] ?? theme.muted;
      return { color: mix(stroke, theme), ink: theme.text, stroke };
    }

    const mix = (color, theme) => `color-mix(in srgb, ${color} 14%, ${theme.background})`;

    // ---- the program --------------------------------------------------------------------------------------------
    function writeCode() {
      const all = groups(data.nodes, level);
      code.replaceChildren(...data.lines.map((text, n) => {
        const own = [...all.keys()].filter((g) => g.split(":")[0] === String(n + 1));
        const li = make("li", { class: data.problem?.line === n + 1 ? "wrong" : null }, make("span", {}, text || " "));
        if (own.length) {
          const closed = own.every((g) => folded.has(g));
          const count = own.reduce((s, g) => s + all.get(g).length, 0);
          li.append(button(closed ? `unfold ${count}` : "fold", closed ? `Show the ${count} nodes of line ${n + 1}` : `Fold line ${n + 1} into one box`, () => {
            own.forEach((g) => (closed ? folded.delete(g) : folded.add(g)));
            changed();
          }));
        }
        li.onpointerenter = () => light(n + 1);
        li.onpointerleave = () => light(0);
        return li;
      }));
    }

    function light(line) {
      net.nodes.forEach((parts, b) => {
        const has = line && net.boxes[b].members.some((i) => data.nodes[i].line === line);
        parts.g.style.filter = has ? "drop-shadow(0 0 4px var(--st-primary-color))" : "";
      });
    }

    function hover(b, event = null) {
      if (b !== hovered) {
        hovered = b;
        ctx.redraw();
      }
      if (b < 0) return tip.hide();
      const box = net.boxes[b];
      const node = data.nodes[box.outlet];
      const at = area.getBoundingClientRect();
      const lines = [boxTitle(box)];
      if (box.members.length > 1) lines.push(`${box.members.length} nodes; double-click to unfold`);
      lines.push(node.kind === "leaf" || node.kind === "constant" ? node.kind : node.name);
      if (node.call) lines.push(node.call);
      if (node.values[0]) lines.push(`value ${brief(node.values[0], 60)}${node.values.length > 1 ? ` and ${node.values.length - 1} more` : ""}`);
      lines.push(`gradient ${gradText(box.outlet, 60)}`);
      lines.push(`${say(node.size.time * 1e6)} µs · ${say(node.size.bytes)} B`);
      tip.show(event.clientX - at.left, event.clientY - at.top, lines);
    }

    // ---- the equation -------------------------------------------------------------------------------------------
    function writeEquation(step) {
      const shown = selected >= 0 ? selected : step ? step.vertex : data.root;
      const k = selected >= 0 ? plan.runs[selected] : position - 1;
      const parts = [];
      if (selected >= 0 || !step) parts.push(...aboutNode(shown, k));
      if (k >= 0 && k < position) parts.push(...aboutStep(data.steps[k], k));
      equation.replaceChildren(...parts);
    }

    function nameOf(i) {
      const node = data.nodes[i];
      return node ? node.label || short(node) : "a node";
    }

    function aboutNode(i, k) {
      const node = data.nodes[i];
      if (!node) return [make("p", {}, "Nothing was recorded.")];
      const out = [make("h4", {}, heading(node))];
      const row = make("div", { class: "row" }, ...node.values.map((v, n) => matrix(v, ctx.theme, { title: node.values.length > 1 ? `value, output ${n}` : "value" })));
      if (k < 0) row.append(make("span", {}, data.steps.length && node.kind !== "constant" && node.kind !== "untracked" && !node.marks.includes("unused") ? "grad: not yet" : "no gradient comes here"));
      else if (k >= position) row.append(make("span", {}, "grad: not yet"), button(`go to step ${k + 1}`, `Go to step ${k + 1}, where its backward runs`, () => { stop(); go(k + 1); }));
      out.push(row);
      if (node.why && k < 0) out.push(make("p", {}, node.why));
      return out;
    }

    function heading(node) {
      const where = node.line ? ` · line ${node.line}: ${(data.lines[node.line - 1] ?? "").trim()}` : "";
      return `${short(node)} · ${node.kind === "leaf" ? "leaf tensor" : node.kind === "constant" ? "constant" : node.name}${where}`;
    }

    function aboutStep(step, k) {
      const { theme } = ctx;
      const node = data.nodes[step.vertex];
      const out = [];
      out.push(make("h4", {}, `Step ${k + 1} · ${step.name}${node?.line ? ` · line ${node.line}: ${(data.lines[node.line - 1] ?? "").trim()}` : node?.label ? ` · ${node.label}` : ""}`));
      if (step.failed) out.push(make("div", { class: "row" }, make("b", {}, "The backward pass stops here: what this node saved is not what it saved any more.")));
      for (const incoming of step.incoming) out.push(arrival(incoming, step, theme));
      const secret = hidden(k);
      if (secret || guess?.step === k) out.push(quiz(step, k));
      if (node?.why && !secret) out.push(make("p", {}, node.why));
      if (step.leaf) {
        const sum = make("div", { class: "row" }, make("b", {}, `${nameOf(step.vertex)}.grad`), step.before ? matrix(step.before, theme, { title: "before" }) : make("span", {}, "None before"));
        sum.append(make("span", { class: "sign" }, "→"), secret ? make("span", {}, "?") : step.after ? matrix(step.after, theme, { title: "after" }) : make("span", {}, "–"));
        out.push(sum);
      }
      for (const edge of step.outgoing) if (edge.grad !== null || !secret) out.push(outgoing(edge, step, theme, secret));
      if (step.saved.length) out.push(savedRow(step, theme));
      return out;
    }

    function arrival(incoming, step, theme) {
      const many = incoming.terms.length > 1;
      const name = step.incoming.length > 1 ? `gradient of output ${incoming.out}` : step.leaf ? "arrives" : "incoming gradient";
      const row = make("div", { class: "row" }, make("b", {}, name));
      if (many) {
        incoming.terms.forEach((term, n) => {
          if (n) row.append(make("span", { class: "sign" }, "+"));
          row.append(matrix(term.grad, theme, { title: term.step < 0 ? "seed" : `step ${term.step + 1}` }));
        });
        row.append(make("span", { class: "sign" }, "="));
      } else if (incoming.terms[0]?.step === -1) row.append(make("span", { class: "small" }, "the seed: d result / d result"));
      row.append(matrix(incoming.total, theme, {}));
      return row;
    }

    function outgoing(edge, step, theme, secret) {
      const row = make("div", { class: "row" }, make("b", {}, `to ${nameOf(edge.target)}`));
      if (edge.grad === null) {
        row.append(make("span", {}, "nothing is sent"));
        return row;
      }
      const usable = edge.jacobians.length && edge.jacobians.length === step.incoming.length;
      if (usable) {
        edge.jacobians.forEach((jacobian, n) => {
          const total = step.incoming.find((i) => i.out === jacobian.out)?.total;
          if (n) row.append(make("span", { class: "sign" }, "+"));
          const one = jacobian.values.length === 1;
          row.append(total ? matrix(total, theme, {}) : make("span", {}, "g"), make("span", { class: "sign" }, one ? "×" : "ᵀ·"),
            matrix(jacobian.values, theme, { title: one ? "local derivative" : "local Jacobian", label: "local Jacobian" }));
        });
        row.append(make("span", { class: "sign" }, "="));
      } else row.append(make("span", {}, "vector-Jacobian product ="));
      if (edge.summed.length && edge.vjp && !secret) {
        row.append(matrix(edge.vjp, theme, { title: "before the reduction" }),
          make("span", {}, `sum over dim ${edge.summed.join(", ")}: ${nameOf(edge.target)} had been broadcast →`));
      }
      row.append(secret ? make("span", { class: "sign" }, "?") : matrix(edge.grad, theme, {}));
      return row;
    }

    function savedRow(step, theme) {
      const row = make("div", { class: "row" }, make("b", {}, "had saved"));
      for (const item of step.saved) {
        const gone = item.state !== "kept" || item.freed;
        const state = item.state === "overwritten" ? "overwritten" : item.state === "freed" ? "freed earlier" : item.freed ? "freed now" : "kept";
        const box = make("span", { class: gone ? "freed" : "" });
        if (item.value) box.append(matrix(item.value, theme, { title: item.name }));
        else box.append(item.state === "kept" ? `${item.name} = ${item.text}` : item.name);
        row.append(box);
        if (item.value || item.state !== "kept") row.append(make("span", { class: "small" }, state));
      }
      return row;
    }

    // ---- predict, then reveal -----------------------------------------------------------------------------------
    function answer(step) {
      const edge = step.outgoing.find((o) => o.grad !== null);
      const tensor = step.leaf ? step.after : edge?.grad;
      if (!tensor) return null;
      return { value: isArray(tensor) ? tensor[0] : tensor.corner[0], cell: isArray(tensor) && !tensor.shape.length ? "" : " (first cell)",
        what: step.leaf ? `${nameOf(step.vertex)}.grad` : `the gradient sent to ${nameOf(edge.target)}` };
    }

    function quiz(step, k) {
      const right = answer(step);
      if (!right) {
        revealed.add(k);
        return make("span");
      }
      if (guess?.step === k) {
        const off = Math.abs(guess.value - right.value);
        const close = off <= 0.02 * Math.max(Math.abs(right.value), 1e-6) || off < 5e-4;
        return make("div", { class: "row", role: "status" }, Number.isNaN(guess.value) ? `PyTorch: ${say(right.value, 5)}` : `${close ? "Right" : "Not quite"}: you said ${say(guess.value, 5)}, PyTorch says ${say(right.value, 5)}.`);
      }
      const typed = make("input", { inputmode: "decimal", "aria-label": "Your prediction", onkeydown: (e) => { e.stopPropagation(); if (e.key === "Enter") show(); } });
      const show = () => {
        guess = { step: k, value: typed.value.trim() === "" ? NaN : Number(typed.value.replace(",", ".").replace("−", "-")) };
        revealed.add(k);
        ctx.redraw();
      };
      return make("div", { class: "row" }, make("label", { class: "item" }, `What is ${right.what}${right.cell}?`, typed), button("Reveal", "Reveal the gradient", show));
    }

    function cut(text, room) {
      return text.length <= room ? text : `${text.slice(0, Math.max(1, Math.floor(room) - 1))}…`;
    }

    return {
      update(fresh) {
        const before = data;
        crowd.textContent = "";
        const atEnd = !before || position >= before.steps.length;
        data = fresh;
        plan = schedule(data.nodes, data.steps);
        const now = JSON.stringify([data.nodes.map((n) => [n.group, n.kind, n.name]), data.edges]);
        if (now !== shape) {
          shape = now;
          level = levelFor(data.nodes);
          const known = groups(data.nodes, level);
          const start = data.nodes.length > MANY;
          folded = new Set(before && [...folded].some((g) => known.has(g)) ? [...folded].filter((g) => known.has(g)) : start ? known.keys() : []);
          detail.value = folded.size === 0 ? "all" : folded.size === known.size ? "lines" : "own";
          selected = hovered = -1;
          refit = true;
        }
        position = atEnd ? data.steps.length : Math.min(position, data.steps.length);
        revealed = new Set();
        guess = null;
        rebuild ||= refit || !net;
        if (!rebuild) writeCode();
      },
      restyle() {
        rebuild = true;
      },
      paint() {
        if (!data) return;
        if (rebuild) build();
        if (refit) fit(refit === "whole");
        rebuild = refit = false;
        refresh();
      },
      stop,
    };
  },
});

// Code with one line lit: the line that has just run, with what it left behind. Text is only ever text.

import { player } from "../shared/player.js";
import { define, make } from "../shared/view.js";
import { pieces } from "./pieces.js";

const CSS = `
.both { flex: 1 1 0; min-height: 0; display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 0.9em; }
.code, .values { overflow: auto; position: relative; border: 1px solid var(--st-border-color); border-radius: 0.4em; min-height: 0; }
.code { font-family: var(--st-code-font); background: var(--st-code-background-color); tab-size: 4; }
.row { display: flex; white-space: pre-wrap; padding-right: 0.5em; border-left: 0.3em solid transparent; }
.row > i { flex: none; width: 2.6em; padding-right: 0.8em; text-align: right; opacity: 0.6; font-style: normal; user-select: none; }
.row > code { flex: 1; min-width: 0; font: inherit; overflow-wrap: anywhere; padding-left: 4ch; text-indent: -4ch; }
.row.ran { border-left-color: color-mix(in srgb, var(--st-primary-color) 35%, transparent); }
.row.lit { border-left-color: var(--st-primary-color); background: color-mix(in srgb, var(--st-primary-color) 20%, transparent); }
.key { font-weight: 600; }
.quiet { opacity: 0.7; font-style: italic; }
.values { padding: 0.4em 0.7em; }
.said { font-weight: 600; margin: 0.1em 0 0.4em; overflow-wrap: anywhere; }
dl { margin: 0; display: grid; grid-template-columns: minmax(4em, max-content) minmax(0, 1fr); gap: 0.15em 0.9em; }
dt { font-family: var(--st-code-font); overflow-wrap: anywhere; }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.new { font-weight: 700; color: var(--st-primary-color); }
.at { font-variant-numeric: tabular-nums; }
.bar select { max-width: 22em; background: var(--st-background-color); border: 1px solid var(--st-border-color); border-radius: 0.3em; }
@container (max-width: 560px) { .both { grid-template-columns: minmax(0, 1fr); } }
.view { container-type: inline-size; }
`;

export default define({
  css: CSS,
  create(ctx) {
    const calls = make("select", { "aria-label": "Call to follow", onchange: () => choose(calls.selectedIndex) });
    const walk = player({
      what: "follow the call line by line", unit: "lines", speeds: [0.5, 1, 2, 4, 8], start: 1,
      home: () => go(0),
      begin: () => { if (at + 1 >= steps().length) at = -1; },
      move: (by) => {
        if (by > 0 && at + 1 >= steps().length) return walk.stop();
        go(at + by);
      },
    });
    const place = make("span", { class: "item at", role: "status" });
    const code = make("div", { class: "code", tabindex: "0", "aria-label": "The code; arrow keys step" });
    const values = make("div", { class: "values", tabindex: "0", "aria-label": "Values after the line" });
    ctx.root.append(
      make("div", { class: "bar" }, make("label", { class: "item" }, "call", calls), ...walk.items, place),
      make("div", { class: "both" }, code, values),
    );
    let rows = [];
    let shown = "";
    let call = 0;
    let at = 0;
    const steps = () => ctx.data.calls?.[call]?.steps ?? [];
    code.onkeydown = (e) => {
      const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[e.key];
      if (by) walk.step(by);
      else if (e.key === " ") walk.toggle();
      else if (e.key === "Home") go(0);
      else return;
      e.preventDefault();
    };

    function choose(index) {
      walk.stop();
      call = index;
      go(0);
    }

    function go(to) {
      at = Math.max(0, Math.min(steps().length - 1, to));
      ctx.redraw();
    }

    function write(text) {
      shown = text;
      rows = text.split("\n").map((line, n) =>
        make("div", { class: "row" }, make("i", {}, String(n + 1)),
          make("code", {}, ...pieces(line).map(([kind, part]) => (kind ? make("span", { class: kind }, part) : part)))));
      code.replaceChildren(...rows);
    }

    function light(step) {
      const ran = new Set(steps().slice(0, at).map((s) => s.line));
      rows.forEach((row, n) => {
        row.classList.toggle("ran", ran.has(n));
        row.classList.toggle("lit", n === step.line);
        if (n === step.line) row.setAttribute("aria-current", "step");
        else row.removeAttribute("aria-current");
      });
      const row = rows[step.line];
      if (!row) return;
      const top = row.offsetTop, bottom = top + row.offsetHeight, edge = row.offsetHeight * 5;
      if (top - edge < code.scrollTop) code.scrollTop = top - edge;
      else if (bottom + edge > code.scrollTop + code.clientHeight) code.scrollTop = bottom + edge - code.clientHeight;
    }

    return {
      update(data) {
        walk.stop();
        if (data.code !== shown || calls.length !== data.calls.length) call = data.first;
        if (data.code !== shown) write(data.code);
        calls.replaceChildren(...data.calls.map((one) => make("option", {}, one.call)));
        call = Math.min(call, data.calls.length - 1);
        calls.selectedIndex = call;
        at = 0;
      },
      paint() {
        const step = steps()[at];
        if (!step) return;
        light(step);
        const left = ctx.data.calls[call].left;
        place.textContent = `line ${at + 1} of ${steps().length}${left ? ` (${left} repeats left out)` : ""}`;
        values.replaceChildren(
          make("div", {}, step.inside || "no line of this class runs"),
          make("div", { class: "said" }, step.said),
          make("dl", {}, ...step.values.flatMap(([name, text, fresh]) => {
            const kind = fresh ? "new" : "";
            return [make("dt", { class: kind }, name), make("dd", { class: kind }, text + (fresh ? " ←" : ""))];
          })),
        );
        ctx.root.dataset.step = String(at);
        ctx.root.dataset.line = String(step.line);
      },
      stop: walk.stop,
    };
  },
});

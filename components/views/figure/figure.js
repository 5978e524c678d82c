// Any plotly figure, changed in place: zoom stays, theme colours, clicks and keys reach Python.

import { css } from "../shared/theme.js";
import { define, make } from "../shared/view.js";

const CSS = `
.plot { position: absolute; inset: 0; }
`;

// dragging and "reset" do what some of these do, and a short bar leaves the legend its place
const SPARE = ["sendChartToCloud", "downloadJson", "lasso2d", "select2d", "zoomIn2d", "zoomOut2d", "autoScale2d"];

let library = null;

/** Plotly from this server, once per page. */
function plotly(version) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  library ??= new Promise((done, failed) => {
    const address = `${import.meta.url.split("/assets/views/")[0]}/assets/plotly.min.js?v=${version}`;
    const script = make("script", { src: address });
    script.onload = () => done(window.Plotly);
    script.onerror = () => {
      library = null;
      failed(new Error("plotly.min.js did not load from the server. Reload the page."));
    };
    document.head.append(script);
  });
  return library;
}

export default define({
  css: CSS,
  create(ctx) {
    const plot = make("div", { class: "plot" });
    const area = make("div", { class: "fill", tabindex: "0", role: "application" }, plot);
    const sheet = make("style");
    const note = make("div", { class: "note" }, "Loading the chart.");
    area.append(note);
    const spoken = make("div", { class: "spoken", role: "status" });
    ctx.root.append(sheet, area, spoken);
    let Plotly = null;
    let drawn = ""; // what the plot shows now
    let room = { width: 0, top: 0 }; // the top margin that a chart of this width needs for legend and tool bar
    let stamp = 0; // grows with new data
    let busy = false;
    let at = null; // [trace, index, …] under the keyboard's cursor
    let gone = false;

    plotly(ctx.component?.data?.plotly ?? "").then(
      (found) => {
        Plotly = found;
        ctx.redraw();
      },
      (error) => {
        note.textContent = error.message;
      },
    );

    async function paint() {
      if (!Plotly || busy || gone || !ctx.data.figure) return;
      const key = [stamp, area.clientWidth, area.clientHeight, ctx.theme.key].join("|");
      if (key === drawn || !area.clientWidth || !area.clientHeight) return;
      drawn = key;
      busy = true;
      const { data, layout = {}, frames } = ctx.data.figure;
      const own = structuredClone({ data, layout }); // plotly writes into what it is given
      own.layout.width = area.clientWidth;
      own.layout.height = area.clientHeight;
      own.layout.uirevision ??= "kept";
      own.layout.template = merge(own.layout.template ?? {}, { layout: colors(ctx.theme) });
      if (room.width !== area.clientWidth) room = { width: area.clientWidth, top: 0 };
      if (room.top) own.layout.margin = { ...own.layout.margin, t: room.top };
      const config = { displaylogo: false, responsive: false, showTips: false, plotlyServerURL: "", modeBarButtonsToRemove: SPARE, ...ctx.data.config };
      try {
        await Plotly.react(plot, { ...own, frames, config });
        dress();
        if (!room.top && covered()) {
          room.top = plot._fullLayout._size.t + plot.querySelector(".modebar").offsetHeight;
          await Plotly.relayout(plot, { "margin.t": room.top });
        }
        note.hidden = true;
        listen();
        area.setAttribute("aria-label", `${ctx.alt} Arrow keys read the points${ctx.data.clickable ? ", Enter chooses one" : ""}.`);
        ctx.root.dataset.drawn = stamp;
      } catch (error) {
        note.hidden = false;
        note.textContent = `The chart could not be drawn: ${error.message ?? error}`;
      }
      busy = false;
      ctx.redraw(); // when something changed meanwhile
    }

    /** Whether the tool bar, once it is pointed at, would lie on the legend. */
    function covered() {
      const bar = plot.querySelector(".modebar")?.getBoundingClientRect();
      return [...plot.querySelectorAll(".legend .traces")].some((entry) => {
        const at = entry.getBoundingClientRect();
        return bar?.width && at.right > bar.left && at.left < bar.right && at.top < bar.bottom && at.bottom > bar.top;
      });
    }

    /** Plotly writes its style sheets into the document's head, which does not reach in here. */
    function dress() {
      const rules = [...document.querySelectorAll("style[id^='plotly.js-style']")].flatMap((s) => [...s.sheet.cssRules]);
      if (sheet.dataset.rules === String(rules.length)) return;
      sheet.dataset.rules = String(rules.length);
      sheet.textContent = rules.map((r) => r.cssText).join("\n");
    }

    function listen() {
      if (plot.dataset.heard) return;
      plot.dataset.heard = "yes";
      plot.on("plotly_click", (event) => choose(event.points?.[0]));
      plot.on("plotly_selected", (event) => {
        if (ctx.data.selectable) ctx.send("select", (event?.points ?? []).map(plain));
      });
    }

    function choose(point) {
      if (point && ctx.data.clickable) ctx.send("click", plain(point));
    }

    /** A point as Python wants it; `index` is [row, column] in a heat map. */
    function plain(p) {
      const trace = p.data ?? plot.data[p.curveNumber];
      const value = (v) => (v === undefined || typeof v === "function" ? null : v);
      return {
        trace: p.curveNumber,
        name: trace?.name ?? null,
        index: value(p.pointNumber ?? p.pointIndex),
        x: value(p.x),
        y: value(p.y),
        z: value(p.z),
        label: value(p.label ?? p.text),
        customdata: value(ArrayBuffer.isView(p.customdata) ? Array.from(p.customdata) : p.customdata),
      };
    }

    area.onkeydown = (e) => {
      const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] }[e.key];
      const full = plot._fullData?.filter((t) => t.visible === true) ?? [];
      if (!full.length || !Plotly) return;
      if (e.key === "Escape") {
        at = null;
        Plotly.Fx.unhover(plot);
      } else if (by) {
        e.preventDefault();
        move(full, by);
      } else if (e.key === "Enter" && at) {
        e.preventDefault();
        const trace = full[Math.min(at.trace, full.length - 1)];
        choose(pointOf(trace));
      }
    };

    function move(full, [up, right]) {
      if (!at) at = { trace: 0, row: 0, col: 0 };
      else if (full[at.trace]?.type === "heatmap") {
        const flip = full[at.trace].yaxis && plot._fullLayout[axisName(full[at.trace].yaxis)].range;
        at.row += flip && flip[0] > flip[1] ? -up : up;
        at.col += right;
      } else {
        at.trace += up ? -Math.sign(up) : 0;
        at.col += right;
      }
      at.trace = Math.min(full.length - 1, Math.max(0, at.trace));
      const trace = full[at.trace];
      const rows = trace.type === "heatmap" ? trace.z.length : 1;
      const cols = trace.type === "heatmap" ? trace.z[0].length : (trace.x ?? trace.y ?? trace.values ?? []).length;
      at.row = Math.min(rows - 1, Math.max(0, at.row));
      at.col = Math.min(cols - 1, Math.max(0, at.col));
      const p = pointOf(trace);
      const where = trace.type === "heatmap" ? { curveNumber: trace.index, xval: p.xval, yval: p.yval } : { curveNumber: trace.index, pointNumber: at.col };
      try {
        Plotly.Fx.hover(plot, trace.type === "heatmap" ? { xval: p.xval, yval: p.yval } : [where], trace.xaxis ? undefined : "xy");
      } catch {
        // some chart kinds have no hover by position; the spoken text below still tells
      }
      spoken.textContent = [trace.name, p.x, p.y, p.z].filter((v) => v !== undefined && v !== null).join(", ");
    }

    function pointOf(trace) {
      const base = { curveNumber: trace.index, data: plot.data[trace.index] };
      if (trace.type !== "heatmap") {
        const i = at.col;
        return { ...base, pointNumber: i, x: trace.x?.[i], y: trace.y?.[i], text: trace.text?.[i], label: trace.labels?.[i], customdata: trace.customdata?.[i] };
      }
      const { row, col } = at;
      const x = trace.x?.[col] ?? col;
      const y = trace.y?.[row] ?? row;
      const number = (v, i) => (typeof v === "number" ? v : i); // categories count from 0
      return { ...base, pointNumber: [row, col], x, y, z: trace.z[row][col], customdata: trace.customdata?.[row]?.[col], xval: number(x, col), yval: number(y, row) };
    }

    return {
      update() {
        stamp++;
      },
      paint,
      stop() {
        gone = true;
        if (Plotly && plot.dataset.heard) Plotly.purge(plot);
      },
    };
  },
});

const axisName = (short) => `${short[0]}axis${short.slice(1)}`;

/** The learner's theme as a plotly template. */
function colors(theme) {
  const stops = (color, lo) => Array.from({ length: 9 }, (_, i) => [i / 8, css(color(lo + ((1 - lo) * i) / 8))]);
  const axis = { gridcolor: theme.grid, zerolinecolor: theme.axis, linecolor: theme.axis, tickcolor: theme.axis };
  const space = { ...axis, backgroundcolor: theme.panel };
  const sequential = stops(theme.sequential, 0);
  return {
    font: { color: theme.text, family: theme.family, size: theme.small },
    title: { font: { size: theme.small * 1.2 } },
    legend: { font: { size: theme.small } },
    colorway: theme.categorical,
    colorscale: { diverging: stops(theme.diverging, -1), sequential, sequentialminus: sequential },
    hoverlabel: { bgcolor: theme.panel, bordercolor: theme.axis, font: { color: theme.text, size: theme.small, family: theme.family } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: theme.muted, activecolor: theme.primary },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    xaxis: axis,
    yaxis: axis,
    scene: { xaxis: space, yaxis: space, zaxis: space },
    polar: { bgcolor: "rgba(0,0,0,0)", angularaxis: axis, radialaxis: axis },
    annotationdefaults: { font: { color: theme.text } },
  };
}

/** `over` laid over `base`, object by object. */
function merge(base, over) {
  const out = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const both = value && typeof value === "object" && !Array.isArray(value) && out[name] && typeof out[name] === "object";
    out[name] = both ? merge(out[name], value) : value;
  }
  return out;
}

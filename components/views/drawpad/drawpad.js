// White strokes on black; what is drawn is sent while the pen moves and when it lifts.

import { define, make } from "../shared/view.js";

const EVERY = 150; // ms between two pictures while drawing

export default define({
  css: `
.pad { flex: 1 1 0; min-height: 0; aspect-ratio: 1; max-width: 100%; align-self: flex-start; touch-action: none; cursor: crosshair;
  background: #000; border: 1px solid var(--st-border-color); image-rendering: auto; }
`,
  create(ctx) {
    const canvas = make("canvas", { class: "pad", tabindex: "0", role: "application" });
    const width = make("input", { type: "range", min: "2", max: "14", value: "8", "aria-label": "Pen width" });
    const clear = make("button", { type: "button", onclick: () => wipe() }, "Clear");
    const spoken = make("div", { class: "spoken", role: "status" });
    ctx.root.append(make("div", { class: "bar" }, clear, make("label", { class: "item" }, "Pen", width)), canvas, spoken);
    let side = 0;
    let last = null;
    let cursor = null; // of the keys
    let down = false; // the keys' pen
    let sent = 0;
    let waiting = 0;
    const g = canvas.getContext("2d");

    function fresh(n) {
      side = n;
      canvas.width = canvas.height = n;
      g.fillStyle = "#000";
      g.fillRect(0, 0, n, n);
    }

    function wipe() {
      fresh(side);
      cursor = last = null;
      send();
    }

    function send() {
      clearTimeout(waiting);
      waiting = 0;
      sent = performance.now();
      ctx.send("draw", canvas.toDataURL("image/png").split(",")[1]);
    }

    function soon() {
      if (!ctx.data.live) return;
      const left = EVERY - (performance.now() - sent);
      if (left <= 0) send();
      else waiting ||= setTimeout(send, left);
    }

    function stroke(to) {
      g.strokeStyle = "#fff";
      g.lineCap = g.lineJoin = "round";
      g.lineWidth = (width.value / 100) * side;
      g.beginPath();
      g.moveTo(...(last ?? to));
      g.lineTo(...to);
      g.stroke();
      last = to;
    }

    const place = (e) => [(e.offsetX / canvas.clientWidth) * side, (e.offsetY / canvas.clientHeight) * side];
    canvas.onpointerdown = (e) => {
      canvas.setPointerCapture(e.pointerId);
      last = null;
      stroke(place(e));
      soon();
    };
    canvas.onpointermove = (e) => {
      if (!e.buttons || !last) return;
      for (const one of e.getCoalescedEvents?.() ?? [e]) stroke(place(one));
      soon();
    };
    canvas.onpointerup = canvas.onpointercancel = () => {
      last = null;
      send();
    };
    canvas.onkeydown = (e) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
      if (e.key === " ") {
        down = !down;
        last = null;
        cursor ??= [side / 2, side / 2];
        if (down) stroke(cursor);
        spoken.textContent = down ? "Pen down" : "Pen up";
        if (!down) send();
      } else if (e.key === "Delete" || e.key === "Backspace") wipe();
      else if (by) {
        cursor ??= [side / 2, side / 2];
        cursor = cursor.map((v, i) => Math.max(0, Math.min(side, v + by[i] * side * 0.03)));
        if (down) {
          stroke(cursor);
          soon();
        }
      } else return;
      e.preventDefault();
    };

    return {
      update(data) {
        if (data.side !== side) fresh(data.side);
        canvas.setAttribute("aria-label", `${ctx.alt} Arrow keys move, space lowers and lifts the pen, Delete clears.`);
      },
      paint() {},
      stop: () => clearTimeout(waiting),
    };
  },
});

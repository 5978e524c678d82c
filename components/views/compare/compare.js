// Before and after in one place, a divider between them.

import { fit } from "../shared/canvas.js";
import { number } from "../shared/scale.js";
import { Tip, define, make } from "../shared/view.js";

export default define({
  create(ctx) {
    const canvas = make("canvas", { tabindex: "0", role: "slider", "aria-valuemin": "0", "aria-valuemax": "100" });
    canvas.style.cursor = "ew-resize";
    canvas.style.touchAction = "none";
    const area = make("div", { class: "fill" }, canvas);
    ctx.root.append(area);
    const tip = new Tip(area);
    const pictures = [null, null];
    let split = 0.5;
    let box = null;
    let dragging = false;
    const shown = [null, null]; // what the pictures were made of

    async function load(n, text) {
      if (shown[n] === text) return;
      shown[n] = text;
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      if (ctx.data[n ? "after" : "before"] !== text) return; // a newer one is on its way
      pictures[n] = bitmap;
      ctx.root.dataset.loaded = String(Number(ctx.root.dataset.loaded ?? 0) + 1);
      ctx.redraw();
    }

    function paint() {
      const { g, width, height } = fit(canvas);
      const { theme, data } = ctx;
      const [a, b] = pictures;
      if (!a || !b) return;
      const scale = Math.min(width / a.width, height / a.height);
      const [w, h] = [a.width * scale, a.height * scale];
      const [x, y] = [(width - w) / 2, (height - h) / 2];
      box = { x, y, w, h };
      g.imageSmoothingEnabled = scale < 3; // few pixels: show each as a square
      const at = x + split * w;
      const part = (picture, from, to) => {
        g.save();
        g.beginPath();
        g.rect(from, y, to - from, h);
        g.clip();
        g.drawImage(picture, x, y, w, h);
        g.restore();
      };
      part(a, x, at);
      part(b, at, x + w);
      g.strokeStyle = theme.background;
      g.lineWidth = theme.line * 2;
      g.beginPath();
      g.moveTo(at, y);
      g.lineTo(at, y + h);
      g.stroke();
      g.strokeStyle = theme.primary;
      g.lineWidth = theme.line;
      g.stroke();
      g.fillStyle = theme.primary;
      g.beginPath();
      g.arc(at, y + h / 2, theme.rem * 0.6, 0, 7);
      g.fill();
      label(g, theme, data.labels[0], x + 6, y + 6, "left", at - x - 8);
      label(g, theme, data.labels[1], x + w - 6, y + 6, "right", x + w - at - 8);
      canvas.setAttribute("aria-label", `${ctx.alt} Arrow keys move the divider.`);
      canvas.setAttribute("aria-valuenow", String(Math.round(split * 100)));
      canvas.setAttribute("aria-valuetext", `${Math.round(split * 100)} % ${data.labels[0]}`);
    }

    function label(g, theme, text, x, y, side, room) {
      g.font = theme.font(theme.small, 600);
      const w = g.measureText(text).width + theme.small;
      if (w > room) return;
      g.fillStyle = theme.background;
      g.globalAlpha = 0.85;
      g.fillRect(side === "left" ? x : x - w, y, w, theme.small * 1.7);
      g.globalAlpha = 1;
      g.fillStyle = theme.text;
      g.textAlign = "center";
      g.textBaseline = "middle";
      g.fillText(text, side === "left" ? x + w / 2 : x - w / 2, y + theme.small * 0.85);
    }

    function move(to) {
      split = Math.max(0, Math.min(1, to));
      ctx.redraw();
    }

    canvas.onpointerdown = (e) => {
      dragging = true;
      canvas.setPointerCapture(e.pointerId);
      if (box) move((e.offsetX - box.x) / box.w);
    };
    canvas.onpointerup = canvas.onpointercancel = () => { dragging = false; };
    canvas.onpointermove = (e) => {
      if (!box) return;
      if (dragging) move((e.offsetX - box.x) / box.w);
      const values = ctx.data.values;
      const [u, v] = [(e.offsetX - box.x) / box.w, (e.offsetY - box.y) / box.h];
      if (!values || u < 0 || v < 0 || u >= 1 || v >= 1) return tip.hide();
      const [c, h, w] = values.shape;
      const [i, j] = [Math.floor(v * h), Math.floor(u * w)];
      const read = Array.from({ length: c }, (_, n) => number(values[(n * h + i) * w + j]));
      tip.show(e.offsetX, e.offsetY, [`row ${i}, column ${j}`, read.join(", ")]);
    };
    canvas.onpointerleave = () => tip.hide();
    canvas.onkeydown = (e) => {
      const by = { ArrowLeft: -0.05, ArrowRight: 0.05, Home: -1, End: 1 }[e.key];
      if (by === undefined) return;
      e.preventDefault();
      move(split + by);
    };

    return {
      update(data) {
        load(0, data.before);
        load(1, data.after);
      },
      paint,
      stop: () => pictures.forEach((p) => p?.close?.()),
    };
  },
});

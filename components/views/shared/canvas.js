// Drawing helpers: sharp canvases on any screen, marker shapes, dashes, axes, pictures from bytes.

import { logTicks, number, ticks } from "./scale.js";

/** Make the bitmap match the canvas's size on this screen; returns a cleared context in CSS pixels. */
export function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  return { g, width, height };
}

/** Shapes in the order in which series, classes and splits use them. */
export const SHAPES = ["circle", "triangle", "square", "diamond", "cross", "plus", "down", "star", "ring", "bar"];

/** Dash patterns in the same order, in units of the line width. */
export const DASHES = [[], [4, 2.5], [1, 2], [6, 2, 1, 2], [8, 3], [2, 1], [3, 3], [6, 1.5, 1, 1.5, 1, 1.5], [10, 2], [1, 1]];

/** Path of a marker of radius `r` around (x, y); fill or stroke it afterwards. */
export function shape(g, name, x, y, r) {
  g.beginPath();
  if (name === "triangle" || name === "down") {
    const s = name === "down" ? -1 : 1;
    g.moveTo(x, y - s * r * 1.2);
    g.lineTo(x + r * 1.1, y + s * r * 0.8);
    g.lineTo(x - r * 1.1, y + s * r * 0.8);
    g.closePath();
  } else if (name === "square") g.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
  else if (name === "diamond") {
    g.moveTo(x, y - r * 1.25);
    g.lineTo(x + r * 1.25, y);
    g.lineTo(x, y + r * 1.25);
    g.lineTo(x - r * 1.25, y);
    g.closePath();
  } else if (name === "cross" || name === "plus") {
    const a = r * 0.38;
    const turn = name === "cross" ? Math.PI / 4 : 0;
    const arms = [[-a, -r], [a, -r], [a, -a], [r, -a], [r, a], [a, a], [a, r], [-a, r], [-a, a], [-r, a], [-r, -a], [-a, -a]];
    arms.forEach(([u, v], i) => {
      const px = x + (u * Math.cos(turn) - v * Math.sin(turn)) * 1.25;
      const py = y + (u * Math.sin(turn) + v * Math.cos(turn)) * 1.25;
      if (i) g.lineTo(px, py);
      else g.moveTo(px, py);
    });
    g.closePath();
  } else if (name === "star") {
    for (let i = 0; i < 10; i++) {
      const q = i % 2 ? r * 0.55 : r * 1.3;
      g.lineTo(x + q * Math.sin((i * Math.PI) / 5), y - q * Math.cos((i * Math.PI) / 5));
    }
    g.closePath();
  } else if (name === "ring") {
    g.arc(x, y, r, 0, 7);
    g.arc(x, y, r * 0.5, 0, 7, true);
  } else if (name === "bar") g.rect(x - r * 1.1, y - r * 0.45, r * 2.2, r * 0.9);
  else g.arc(x, y, r, 0, 7);
}

/** A small canvas that shows how a series or class is drawn, for legends. */
export function swatch(theme, { color, marker, dash, width = 2.2 }) {
  const canvas = document.createElement("canvas");
  const [w, h] = [width * theme.rem, theme.rem];
  canvas.style.cssText = `width:${w}px;height:${h}px;flex:none`;
  const ratio = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [w * ratio, h * ratio];
  canvas.setAttribute("aria-hidden", "true");
  const g = canvas.getContext("2d");
  g.scale(ratio, ratio);
  g.strokeStyle = g.fillStyle = color;
  g.lineWidth = theme.line;
  if (dash) {
    g.setLineDash(dash.map((d) => d * theme.line));
    g.beginPath();
    g.moveTo(0, h / 2);
    g.lineTo(w, h / 2);
    g.stroke();
  }
  if (marker) {
    shape(g, marker, w / 2, h / 2, theme.rem * 0.27);
    g.fill();
  }
  return canvas;
}

/** How much room the axes of a plot need: the widest tick label decides the left margin. */
export function margins(g, theme, yTicks, { xTitle, yTitle }) {
  g.font = theme.font();
  const widest = Math.max(0, ...yTicks.map((v) => g.measureText(number(v, 3)).width));
  return {
    left: Math.ceil(widest + theme.small * (yTitle ? 1.9 : 0.6)),
    bottom: Math.ceil(theme.small * (xTitle ? 2.7 : 1.5)),
    top: Math.ceil(theme.small * 0.6),
    right: Math.ceil(theme.small * 0.9),
  };
}

/** Tick values for a domain of so many pixels. */
export function tickValues([lo, hi], pixels, log, theme, across = false) {
  const count = Math.max(3, Math.floor(pixels / (theme.small * (across ? 5 : 2.2))));
  return log ? logTicks(lo, hi, count) : ticks(lo, hi, Math.min(count, 8));
}

/** Grid, tick labels and titles around the box of the two scales. */
export function axes(g, theme, x, y, { xTitle = "", yTitle = "", xTicks, yTicks }) {
  const [x0, x1] = x.range;
  const [y0, y1] = y.range; // y0 is the lower edge
  g.font = theme.font();
  g.lineWidth = 1;
  g.setLineDash([]);
  g.strokeStyle = theme.grid;
  g.beginPath();
  for (const v of yTicks) {
    const py = Math.round(y(v)) + 0.5;
    g.moveTo(x0, py);
    g.lineTo(x1, py);
  }
  for (const v of xTicks) {
    const px = Math.round(x(v)) + 0.5;
    g.moveTo(px, y0);
    g.lineTo(px, y1);
  }
  g.stroke();
  g.strokeStyle = theme.axis;
  g.strokeRect(Math.round(x0) + 0.5, Math.round(y1) + 0.5, Math.round(x1 - x0), Math.round(y0 - y1));
  g.fillStyle = theme.muted;
  g.textBaseline = "middle";
  g.textAlign = "right";
  for (const v of yTicks) g.fillText(number(v, 3), x0 - theme.small * 0.4, y(v));
  g.textBaseline = "top";
  g.textAlign = "center";
  let free = -Infinity;
  for (const v of xTicks) {
    const label = number(v, 4);
    const half = g.measureText(label).width / 2;
    const at = Math.min(Math.max(x(v), half), x1 + theme.small * 0.9 - half);
    if (at - half < free) continue; // labels never touch
    g.fillText(label, at, y0 + theme.small * 0.35);
    free = at + half + theme.small * 0.5;
  }
  g.fillStyle = theme.text;
  if (xTitle) g.fillText(clip(g, xTitle, x1 - x0), (x0 + x1) / 2, y0 + theme.small * 1.55);
  if (yTitle) {
    g.save();
    const widest = Math.max(0, ...yTicks.map((v) => g.measureText(number(v, 3)).width));
    g.translate(x0 - widest - theme.small * 1.15, (y0 + y1) / 2);
    g.rotate(-Math.PI / 2);
    g.textBaseline = "middle";
    g.fillText(clip(g, yTitle, y0 - y1), 0, 0);
    g.restore();
  }
}

/** `text`, cut with an ellipsis when it is wider than `width`. */
export function clip(g, text, width) {
  if (g.measureText(text).width <= width) return text;
  let cut = text;
  while (cut.length > 1 && g.measureText(`${cut}…`).width > width) cut = cut.slice(0, -1);
  return `${cut}…`;
}

/** Paint `count` = n × m bytes (row 0 at the bottom) into `canvas` through a table of 256 colours. */
export function picture(canvas, bytes, n, m, colorOf, offset = 0) {
  if (canvas.width !== m || canvas.height !== n) [canvas.width, canvas.height] = [m, n];
  const g = canvas.getContext("2d");
  const image = g.createImageData(m, n);
  const out = new Uint32Array(image.data.buffer);
  for (let row = 0; row < n; row++) {
    const from = offset + (n - 1 - row) * m;
    for (let col = 0; col < m; col++) out[row * m + col] = colorOf(from + col, bytes);
  }
  g.putImageData(image, 0, 0);
  return canvas;
}

/** [r, g, b] as one little-endian RGBA pixel. */
export function pixel([r, g, b]) {
  return (255 << 24) | (b << 16) | (g << 8) | r;
}

/** 256 pixels of `color(t)`, t from 0 to 1. */
export function table(color) {
  return Uint32Array.from({ length: 256 }, (_, i) => pixel(color(i / 255)));
}

// Tensors as text and as little tables of coloured cells.

import { inkOn, number } from "../shared/scale.js";
import { css } from "../shared/theme.js";
import { make } from "../shared/view.js";

const WRITTEN = 10; // columns up to which the numbers are written into the cells

/** One number; NaN and infinity by their names, since here they are findings. */
export function say(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value;
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "−inf";
  return number(value, digits);
}

export const isArray = (t) => ArrayBuffer.isView(t);
/** A shape in a box, where room is short: 2×64×32×32, and (3) for a vector. */
export const shapeBrief = (t) => (t.shape.length > 1 ? Array.from(t.shape).join("×") : `(${t.shape[0]})`);
export const shapeText = (t) => `(${Array.from(t.shape).join(", ")}${t.shape.length === 1 ? "," : ""})`;

/** A tensor in a few characters: its number, its few numbers, or its shape. */
export function brief(t, room = 18) {
  if (t === null || t === undefined) return "–";
  if (!isArray(t)) return shapeBrief(t);
  if (!t.shape.length) return say(t[0]);
  if (t.length <= 4) {
    const text = `[${Array.from(t, (v) => say(v)).join(", ")}]`;
    if (text.length <= room) return text;
    const short = `[${Array.from(t, (v) => say(v, 2)).join(", ")}]`;
    if (short.length <= room) return short;
  }
  return shapeBrief(t);
}

/** A tensor as a table of coloured cells; larger ones by their shape, range and corner. */
export function matrix(t, theme, { title = "", label = "", rows = null } = {}) {
  const box = make("figure", { class: "matrix" });
  if (!isArray(t)) {
    const range = t.range?.length ? `${say(t.range[0])} to ${say(t.range[1])} · ` : "";
    box.append(make("figcaption", {}, `${title} ${shapeText(t)}`.trim()));
    box.append(make("div", { class: "small" }, `${range}root mean square ${say(t.rms)}`));
    if (t.corner?.length) box.append(table(t.corner, theme, `${label || title} (first corner)`), make("div", { class: "small" }, "… first corner"));
    return box;
  }
  const shape = t.shape.length ? ` ${shapeText(t)}` : "";
  if (title || shape) box.append(make("figcaption", {}, `${title}${rows ?? shape}`.trim()));
  box.append(t.length ? table(t, theme, label || title) : make("div", { class: "small" }, "empty"));
  return box;
}

function table(t, theme, label) {
  const columns = t.shape.length ? t.shape[t.shape.length - 1] : 1;
  const count = t.length / Math.max(1, columns);
  const most = t.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0) || 1;
  const written = columns <= WRITTEN && count <= WRITTEN * 2;
  const body = make("table", { class: written ? "cells" : "cells fine", "aria-label": label || "numbers" });
  for (let i = 0; i < count; i++) {
    const row = make("tr");
    for (let j = 0; j < columns; j++) {
      const v = t[i * columns + j];
      const color = Number.isFinite(v) ? theme.diverging(v / most) : null;
      const cell = make("td", { title: `[${i}, ${j}] ${String(v)}` }, written ? say(v, columns <= 4 ? 4 : 3) : "");
      if (color) {
        cell.style.background = css(color);
        cell.style.color = inkOn(color);
      } else cell.className = "bad";
      row.append(cell);
    }
    body.append(row);
  }
  return body;
}

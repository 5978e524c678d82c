// The learner's theme as numbers a canvas can use: colours from --st-* variables, text sizes from rem.

import { luminance, ramp, rgb } from "./scale.js";

// Okabe-Ito and Tol hues in one order for both themes: told apart with the usual colour-vision deficiencies.
const CATEGORICAL = {
  light: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#999933", "#44AA99", "#7F7F7F"],
  dark: ["#4C9FE0", "#F2793A", "#20C39A", "#E59AC6", "#F2B134", "#9AD4F5", "#C46A94", "#C9C95B", "#7FD6C9", "#B0B0B0"],
};

// negative (orange) - neutral - positive (blue); the neutral middle is the page's own lightness
const DIVERGING = {
  light: ["#b35806", "#e08214", "#fdb863", "#fee0b6", "#f7f7f7", "#d1e5f0", "#92c5de", "#4393c3", "#2166ac"],
  dark: ["#ffb45c", "#d9780f", "#8f4a0c", "#4a2c12", "#22252b", "#133a57", "#1a649b", "#3d97d6", "#8ccbf5"],
};

const VIRIDIS = ["#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#fde725"];
const SEQUENTIAL = { light: VIRIDIS.toReversed(), dark: VIRIDIS }; // small values fade into the page

/** Everything a view needs to draw in the current theme; read once per change, not per frame. */
export function readTheme(host) {
  const style = getComputedStyle(host);
  const value = (name, fallback) => {
    const text = style.getPropertyValue(name).trim();
    return text && text !== "unset" ? text : fallback;
  };
  const background = value("--st-background-color", "#ffffff");
  const dark = luminance(rgb(background)) < 0.5;
  const mode = dark ? "dark" : "light";
  const text = value("--st-text-color", dark ? "#fafafa" : "#31333f");
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  const ink = rgb(text);
  const paper = rgb(background);
  const mix = (t) => `rgb(${ink.map((c, i) => Math.round(c * t + paper[i] * (1 - t))).join(",")})`;
  const given = value("--st-chart-categorical-colors", "").split(/,(?![^(]*\))/).filter(Boolean);
  const categorical = given.length === 10 ? given.map((c) => c.trim()) : CATEGORICAL[mode];
  const diverging = DIVERGING[mode].map(rgb);
  const steps = value("--st-chart-sequential-colors", "").split(/,(?![^(]*\))/).filter(Boolean);
  const sequential = (steps.length > 2 ? steps : SEQUENTIAL[mode]).map(rgb);
  const family = value("--st-font", "sans-serif");
  const small = Math.max(12, 0.8125 * rem);
  return {
    dark,
    rem,
    text,
    background,
    paper,
    panel: value("--st-secondary-background-color", dark ? "#262730" : "#f0f2f6"),
    primary: value("--st-primary-color", "#ff4b4b"),
    muted: mix(0.72), // 4.5 : 1 against the page and more
    grid: mix(0.12),
    axis: mix(0.45),
    small,
    line: rem / 8, // 2 px at the normal size, 3 px on a projector
    font: (size = small, weight = 400) => `${weight} ${size}px ${family}`,
    family,
    categorical,
    diverging: (t) => ramp(diverging, (t + 1) / 2), // t in [-1, 1]
    sequential: (t) => ramp(sequential, t), // t in [0, 1]
    positive: css(ramp(diverging, 0.92)),
    negative: css(ramp(diverging, 0.08)),
    key: [background, text, rem, family, categorical.join(), steps.join()].join("|"),
  };
}

/** [r, g, b] as a CSS colour. */
export function css([r, g, b], alpha = 1) {
  return alpha === 1 ? `rgb(${r},${g},${b})` : `rgba(${r},${g},${b},${alpha})`;
}

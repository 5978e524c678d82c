// Small signs that every machine can draw: shapes of their own, since not every font has emoji and geometric signs.

const PATHS = {
  play: "M8 5v14l11-7z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  stop: "M6 6h12v12H6z",
  first: "M6 5h2v14H6zM19 5v14L9 12z",
  last: "M16 5h2v14h-2zM5 5v14l10-7z",
  back: "M15.4 7.4 14 6l-6 6 6 6 1.4-1.4L10.8 12z",
  forward: "M10 6 8.6 7.4 13.2 12l-4.6 4.6L10 18l6-6z",
  whole: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
  check: "M9 16.2 4.8 12l-1.4 1.4L9 19 21 7l-1.4-1.4z",
  wait: "M6 2v6l4 4-4 4v6h12v-6l-4-4 4-4V2zm10 18H8v-3.5l4-4 4 4z",
  warning: "M1 21h22L12 2zm12-3h-2v-2h2zm0-4h-2v-4h2z",
  again: "M17.65 6.35A8 8 0 1 0 19.73 14h-2.08A6 6 0 1 1 12 6a5.9 5.9 0 0 1 4.22 1.78L13 11h7V4z",
};

/** The sign of this name, as large as the text beside it; for the eye only, so say it in words too. */
export function icon(name) {
  const box = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  box.setAttribute("viewBox", "0 0 24 24");
  box.setAttribute("class", "icon");
  box.setAttribute("aria-hidden", "true");
  box.append(path);
  return box;
}

// What every view shares: one instance per place on the page, theme, size, one paint per screen refresh, the run feed.

import { decode } from "./wire.js";
import { feedOf } from "./feed.js";
import { readTheme } from "./theme.js";

const mounted = new WeakMap(); // parentElement -> View
const alive = new Set();
const dirty = new Set();
let frame = 0;

// a canvas asks for a font by drawing with it, and shows another one until it is there
document.fonts.addEventListener("loadingdone", () => {
  for (const view of alive) view.redraw();
});

const CSS = `
.view { position: relative; display: flex; flex-direction: column; box-sizing: border-box; width: 100%; min-width: 0;
  color: var(--st-text-color); font-family: var(--st-font); font-size: max(12px, 0.8125rem); line-height: 1.35; }
.view * { box-sizing: border-box; }
.view canvas { display: block; touch-action: pan-y; }
.fill { flex: 1 1 0; min-height: 0; min-width: 0; position: relative; }
.fill > canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
.view :focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; border-radius: 2px; }
.view button, .view input, .view select { font: inherit; color: inherit; }
.view button:not(.modebar-btn), .view select, .view input:not([type=checkbox]) { min-height: 24px; min-width: 24px; }
.view input[type=checkbox] { width: 24px; height: 24px; margin: 0; }
.view button:not(.modebar-btn) { background: var(--st-background-color); border: 1px solid var(--st-border-color); padding: 0.1em 0.6em;
  border-radius: var(--st-button-radius, 0.5rem); cursor: pointer; }
.view button:not(.modebar-btn):hover { border-color: var(--st-primary-color); }
.view button[aria-pressed="true"] { background: var(--st-secondary-background-color); border-color: var(--st-primary-color); }
.view button[hidden], .view [hidden] { display: none; }
.icon { width: 1.25em; height: 1.25em; vertical-align: -0.25em; fill: currentColor; flex: none; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 0.15em 0.9em; min-height: 1.6em; }
.item { display: inline-flex; align-items: center; gap: 0.35em; white-space: nowrap; max-width: 100%; }
.item > span { overflow: hidden; text-overflow: ellipsis; }
.tip { position: absolute; z-index: 5; pointer-events: none; background: var(--st-background-color);
  border: 1px solid var(--st-border-color); border-radius: 0.3rem; padding: 0.25em 0.5em; white-space: pre;
  box-shadow: 0 1px 4px rgba(0, 0, 0, 0.25); font-variant-numeric: tabular-nums; }
.note { position: absolute; inset: 0; display: flex; align-items: center; justify-content: center; text-align: center;
  padding: 1em; color: var(--st-text-color); pointer-events: none; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.probe { position: absolute; visibility: hidden; width: 1rem; height: 0; }
`;

/**
 * The default export of a view's module.
 *
 * `create(ctx)` builds its elements once inside `ctx.root` and returns
 *   update(data)  new data from Python; optional
 *   news(feed)    the run sent something, or was scrubbed; optional
 *   paint()       draw; called at most once per screen refresh after `ctx.redraw()`
 *   stop()        clean up what the shared part does not know; optional
 */
export function define({ css = "", create }) {
  return (component) => {
    const place = component.parentElement;
    if (!mounted.has(place)) mounted.set(place, new View(place, css, create));
    const view = mounted.get(place);
    view.receive(component);
    return () => view.stop();
  };
}

class View {
  #text = null; // the data as JSON, to see whether anything changed
  #unlisten = null;
  #seen = true;

  constructor(place, css, create) {
    alive.add(this);
    this.place = place;
    this.root = place.querySelector(".view");
    this.host = place.host ?? place;
    this.root.replaceChildren();
    this.root.append(make("style", {}, CSS + css), make("div", { class: "probe" }));
    this.feed = null;
    this.theme = readTheme(this.host);
    this.data = {};
    this.paints = 0;
    this.parts = create(this);
    this.sizes = new ResizeObserver(() => this.#measure());
    this.sizes.observe(this.root);
    this.sizes.observe(this.root.querySelector(".probe")); // 1rem wide: sees the projector mode
    this.sight = new IntersectionObserver((entries) => this.#sight(entries.at(-1)), { rootMargin: "200px" });
    this.sight.observe(this.root);
  }

  /** New props from Streamlit: a rerun, or another theme. */
  receive(component) {
    this.component = component;
    const { json, height, alt } = component.data ?? {};
    if (height) this.root.style.height = `var(--stage-height, ${height / 16}rem)`; // set where one picture fills the screen
    if (alt !== undefined) {
      this.alt = alt;
      this.root.setAttribute("role", "group");
      this.root.setAttribute("aria-label", alt);
    }
    this.#look();
    if (json !== this.#text) {
      this.#text = json;
      this.data = decode(JSON.parse(json));
      this.#follow(this.data.run ?? null);
      this.parts.update?.(this.data);
      if (this.feed) this.parts.news?.(this.feed);
    }
    this.redraw();
  }

  /** Tell Python once: the trigger `name` with a value. */
  send(name, value) {
    this.component.setTriggerValue(name, value);
    this.feed?.kick();
  }

  /** Keep a value in Python's session state under `name`. */
  keep(name, value) {
    this.component.setStateValue(name, value);
  }

  /** Paint at the next screen refresh, once, and only when near the visible part of the page. */
  redraw() {
    if (!this.#seen) return;
    dirty.add(this);
    frame ||= requestAnimationFrame(flush);
  }

  paint() {
    if (this.stopped || !this.root.clientWidth) return;
    this.parts.paint();
    this.root.dataset.paints = ++this.paints;
  }

  stop() {
    if (this.stopped) return;
    this.stopped = true;
    mounted.delete(this.place);
    alive.delete(this);
    dirty.delete(this);
    this.#unlisten?.();
    this.sizes.disconnect();
    this.sight.disconnect();
    this.parts.stop?.();
  }

  #follow(run) {
    if ((this.feed?.run ?? null) === run) return;
    this.#unlisten?.();
    this.feed = run === null ? null : feedOf(run);
    this.#unlisten = this.feed?.listen((feed) => {
      this.parts.news?.(feed);
      this.redraw();
    });
  }

  #look() {
    const theme = readTheme(this.host);
    if (theme.key === this.theme.key) return;
    this.theme = theme;
    this.parts.restyle?.();
  }

  #measure() {
    this.#look();
    this.redraw();
  }

  #sight(entry) {
    this.#seen = entry.isIntersecting;
    if (this.#seen) this.redraw();
    else dirty.delete(this);
  }
}

function flush() {
  frame = 0;
  const now = [...dirty];
  dirty.clear();
  for (const view of now) view.paint();
}

/** An element with attributes (`on…` are handlers) and children; text only ever as text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element[name] = value;
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((c) => c !== null && c !== undefined));
  return element;
}

/** A box of lines beside the pointer that never leaves `within`. */
export class Tip {
  constructor(within) {
    this.within = within;
    this.box = make("div", { class: "tip", hidden: "" });
    within.append(this.box);
  }

  show(x, y, lines) {
    const text = lines.join("\n");
    if (this.box.textContent !== text) this.box.textContent = text;
    this.box.hidden = false;
    const { offsetWidth: w, offsetHeight: h } = this.box;
    const { clientWidth: W, clientHeight: H } = this.within;
    const gap = 12;
    const left = x + gap + w <= W ? x + gap : x - gap - w;
    this.box.style.left = `${Math.max(0, Math.min(left, W - w))}px`;
    this.box.style.top = `${Math.max(0, Math.min(y - h - gap < 0 ? y + gap : y - h - gap, H - h))}px`;
  }

  hide() {
    this.box.hidden = true;
  }
}

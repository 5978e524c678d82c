// Play, pause and step: the buttons of every view that can walk through something by itself.

import { icon } from "./icons.js";
import { make } from "./view.js";

/** A button with a text or signs on it, and what it does in words. */
export function button(shown, label, onclick) {
  return make("button", { type: "button", "aria-label": label, title: label, onclick }, ...[shown].flat());
}

/**
 * The buttons and the clock of a walk.
 *
 *   what    what playing does, in words: "walk through the output"
 *   unit    what a step is, in the plural; speeds: steps a second; start: the speed's number at first
 *   home()  goes to the first step; move(by) goes on or back; begin() comes before the first step of playing, optional
 *   delay   milliseconds until the next step, given the usual ones; optional
 *
 * Returns `items` for a bar, and `stop`, `toggle`, `step(by)` for keys and clicks.
 */
export function player({ what, unit = "steps", speeds = [1, 2, 4, 8, 16], start = 2, home, move, begin = () => {}, delay = (ms) => ms }) {
  let timer = 0;
  const rest = `Play: ${what}`;
  const play = button([icon("play"), " Play"], rest, () => toggle());
  const words = (n) => `${n} ${n === 1 ? unit.replace(/s$/, "") : unit}/s`;
  const said = make("span", {}, words(speeds[start]));
  const speed = make("input", {
    type: "range", min: "0", max: String(speeds.length - 1), value: String(start), "aria-label": `Speed in ${unit} per second`,
    oninput: () => { said.textContent = words(speeds[speed.value]); },
  });

  function show(sign, text, label) {
    play.replaceChildren(icon(sign), ` ${text}`);
    play.setAttribute("aria-label", label);
    play.title = label;
  }

  function stop() {
    clearTimeout(timer);
    timer = 0;
    show("play", "Play", rest);
  }

  function toggle() {
    if (timer) return stop();
    show("pause", "Pause", "Pause");
    const tick = () => {
      timer = setTimeout(tick, delay(1000 / speeds[speed.value])); // first, so that `move` may stop it
      move(1);
    };
    begin();
    tick();
  }

  function step(by) {
    stop();
    move(by);
  }

  const back = () => {
    stop();
    home();
  };
  return {
    items: [button(icon("first"), "Back to the start", back), button(icon("back"), "Step back", () => step(-1)), play,
      button(icon("forward"), "Step forward", () => step(1)), make("label", { class: "item" }, "Speed", speed, said)],
    stop,
    toggle,
    step,
  };
}

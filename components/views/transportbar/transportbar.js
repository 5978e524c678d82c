// Where a run stands, and the way back to any of its past epochs.

import { icon } from "../shared/icons.js";
import { duration, number } from "../shared/scale.js";
import { define, make } from "../shared/view.js";

const CSS = `
.transport { display: flex; flex-direction: column; gap: 0.3rem; }
.transport .bar { font-variant-numeric: tabular-nums; }
.state { font-weight: 600; }
.epoch { font-size: 1.15em; font-weight: 600; }
.quiet { color: color-mix(in srgb, var(--st-text-color) 75%, var(--st-background-color)); }
.line { display: flex; align-items: center; gap: 0.6rem; }
.line input { flex: 1 1 auto; min-width: 4rem; height: 1.5rem; accent-color: var(--st-primary-color); cursor: pointer; }
.message, details { overflow-wrap: anywhere; }
`;

// What the buttons beside it depend on: whether the run goes on, stands still, or is over.
const kind = (state) => ({ done: "over", failed: "over", paused: "still", stopped: "still" })[state] ?? "goes";
const STATES = {
  connecting: ["wait", "connecting"],
  queued: ["wait", "waiting"],
  running: ["play", "learning"],
  paused: ["pause", "paused"],
  done: ["check", "finished"],
  stopped: ["stop", "stopped"],
  failed: ["warning", "ended early"],
  unknown: ["warning", "not found"],
};

export default define({
  css: CSS,
  create(ctx) {
    const state = make("span", { class: "state", role: "status" }, make("span"), make("span"));
    const epoch = make("span", { class: "epoch" });
    const rest = make("span", { class: "quiet" });
    const rates = make("span", { class: "quiet" });
    const message = make("div", { class: "message", role: "alert", hidden: "" });
    const slider = make("input", { type: "range", min: "0", step: "1", "aria-label": "Epoch shown" });
    const live = make("button", { type: "button", onclick: () => ctx.feed?.scrub(null) }, "Back to live");
    const go = make("button", { type: "button", onclick: resume }, "Continue from here");
    const words = make("span");
    const detail = make("details", { hidden: "" }, make("summary", {}, "What PyTorch says"), words);
    const line = make("div", { class: "line" }, slider, live, go);
    ctx.root.append(make("div", { class: "transport" }, make("div", { class: "bar" }, state, epoch, rest, rates), line, message, detail));

    slider.oninput = () => {
      const wanted = Number(slider.value);
      ctx.feed?.scrub(wanted >= done() ? null : wanted);
    };
    slider.onkeydown = (e) => e.stopPropagation(); // arrows and Home are the slider's own here

    function done() {
      return Math.floor(ctx.feed?.status.epoch ?? ctx.feed?.table.column("epoch").at(-1) ?? 0);
    }

    function resume() {
      const feed = ctx.feed;
      if (feed?.epoch === null || !feed) return;
      ctx.send("seek", { epoch: feed.epoch });
      feed.scrub(null);
    }

    const write = (element, text) => {
      if (element.textContent !== text) element.textContent = text;
    };

    function tell(sign, word) {
      if (state.dataset.sign !== String(sign)) state.firstChild.replaceChildren(...(sign ? [icon(sign), " "] : []));
      state.dataset.sign = sign;
      write(state.lastChild, word);
    }

    function paint() {
      const feed = ctx.feed;
      if (!feed) {
        tell(null, ctx.data.empty ?? "No run yet.");
        for (const part of [line, message, detail]) part.hidden = true;
        for (const part of [epoch, rest, rates]) write(part, "");
        return;
      }
      const s = feed.status;
      const total = feed.scene?.epochs ?? 0;
      const now = s.epoch ?? 0;
      const past = feed.epoch;
      let [sign, word] = STATES[s.state] ?? [null, s.state];
      if (s.state === "queued" && s.position) word += `: number ${s.position} in line`;
      if (feed.reconnecting) [sign, word] = ["again", "the server does not answer, trying again"];
      tell(sign, word);
      const shown = past ?? (Number.isInteger(now) ? now : Math.floor(now * 10) / 10);
      write(epoch, past === null ? `epoch ${number(shown, 6)}${total ? ` / ${total}` : ""}` : `looking back at epoch ${past} of ${number(Math.floor(now), 6)}`);
      const speed = s.rate?.epochs_per_second;
      const remaining = total > now && speed > 0 && s.state === "running" ? `${duration((total - now) / speed)} left` : "";
      write(rest, remaining);
      const samples = s.rate?.samples_per_second;
      write(rates, speed > 0 ? `${number(speed, 3)} epochs/s${samples > 0 ? ` · ${number(Math.round(samples), 6)} samples/s` : ""}` : "");
      const top = Math.max(1, done());
      slider.max = String(top);
      if (past === null) slider.value = String(top);
      else if (Number(slider.value) !== past) slider.value = String(past);
      slider.disabled = done() < 1;
      slider.setAttribute("aria-valuetext", past === null ? `live, epoch ${top}` : `epoch ${past} of ${top}`);
      line.hidden = false;
      live.hidden = past === null;
      go.hidden = past === null || !s.mine || !ctx.data.seekable;
      message.hidden = !s.message;
      write(message, s.message ?? "");
      detail.hidden = !s.detail;
      write(words, s.detail ?? "");
      ctx.root.dataset.state = feed.reconnecting ? "reconnecting" : s.state;
      ctx.root.dataset.epoch = now;
      ctx.root.dataset.shown = past ?? "live";
      first();
    }

    /** Play and its neighbours come first by Tab: in the document they stand behind a sidebar full of settings. */
    function first() {
      const row = ctx.host.closest(".stVerticalBlock")?.querySelector(".stHorizontalBlock");
      for (const one of row?.querySelectorAll("button, input") ?? []) one.tabIndex = 1;
    }

    let told = null; // the state that Python was told last, and of which run
    let seen = {}; // of which run, and how it stood last
    function news(feed) {
      const known = ctx.data.state;
      const now = feed.status.state;
      // a button that was just pressed knows better than a state of before: only a turn, or an end, is news
      const turned = seen.run === feed.run && seen.kind !== kind(now);
      seen = { run: feed.run, kind: kind(now) };
      const ends = kind(known) === "over" || kind(now) === "over";
      if (!known || kind(known) === kind(now) || !(turned || ends)) return void (told = null);
      const word = `${feed.run} ${now}`;
      if (told === word) return;
      told = word;
      ctx.send("state", { state: now });
    }

    return { paint, news };
  },
});

// What a live run sends, polled once per run and shared by all views of the page.
// Same URL, same module: every view that imports this file sees the same feeds.

import { decode } from "./wire.js";

const feeds = new Map(); // run id -> Feed
const FAST = 100; // ms between two polls of a running run
const SLOW = { running: FAST, queued: 400, paused: 600, unknown: 5000 };
const FIRST = 15; // until there is a first picture …
const SOON = 2000; // … but not for longer than this
const IDLE = 1500; // done, stopped, failed
const HIDDEN = 3000;
const EAGER = 3000; // for so long after a click or key press every run is polled fast: it may be Play …
const SETTINGS = "[role=slider], [data-testid=stSlider], input, textarea"; // … except on what moves no standing run
const KEPT = 48; // past pictures kept for scrubbing to and fro
const FORGET = 30000; // ms that a feed without a view keeps what it has

let touched = -Infinity;
if (typeof window !== "undefined") {
  const wake = (event) => {
    if (event.target instanceof Element && event.target.closest(SETTINGS)) return;
    touched = performance.now();
    for (const feed of feeds.values()) feed.kick();
  };
  for (const event of ["pointerdown", "keydown"]) {
    window.addEventListener(event, wake, { capture: true, passive: true });
  }
  document.addEventListener("visibilitychange", wake);
}

/** The one feed of a run. */
export function feedOf(run) {
  if (!feeds.has(run)) feeds.set(run, new Feed(run));
  return feeds.get(run);
}

/**
 * Rows of the curves by column: NaN where a value was no number, undefined where none was measured. A row at or
 * before the last step replaces what came after it.
 */
export class Table {
  constructor() {
    this.columns = new Map(); // name -> number[]
    this.length = 0;
  }

  add(rows) {
    for (const row of rows) {
      const order = "step" in row ? "step" : "epoch";
      const steps = this.columns.get(order) ?? [];
      let keep = this.length;
      while (keep > 0 && steps[keep - 1] >= row[order]) keep--;
      if (keep < this.length) this.cut(keep);
      for (const name of Object.keys(row)) {
        if (!this.columns.has(name)) this.columns.set(name, new Array(this.length).fill(undefined));
      }
      for (const [name, column] of this.columns) column.push(name in row ? (row[name] ?? NaN) : undefined);
      this.length++;
    }
  }

  cut(length) {
    for (const column of this.columns.values()) column.length = length;
    this.length = length;
  }

  column(name) {
    return this.columns.get(name) ?? [];
  }
}

class Feed {
  #listeners = new Set();
  #polling = false;
  #wake = null;
  #failures = 0;
  #wanted = null; // epoch whose picture is to be fetched next: the latest wins
  #fetching = false;
  #past = new Map(); // epoch -> frame

  constructor(run) {
    this.run = run;
    this.born = performance.now();
    this.#clear();
  }

  #clear() {
    this.cursor = "";
    this.table = new Table();
    this.events = [];
    this.scene = null;
    this.frame = null; // the latest picture
    this.status = { state: "connecting", message: "" };
    this.reconnecting = false;
    this.epoch = null; // scrubbed to, or null when live
    this.pastFrame = null;
    this.version = 0; // grows with every change
    this.#past.clear();
  }

  /** Whether the run is being asked for news: only while a view listens. */
  get polling() {
    return this.#polling;
  }

  /** The picture to draw: the scrubbed one, else the latest. */
  get shown() {
    return this.epoch === null ? this.frame : (this.pastFrame ?? this.frame);
  }

  /** Call `listener(feed)` on every change until the returned function is called. */
  listen(listener) {
    this.#listeners.add(listener);
    clearTimeout(this.forget);
    if (!this.#polling) this.#poll();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) {
        this.kick();
        this.forget = setTimeout(() => feeds.delete(this.run), FORGET);
      }
    };
  }

  /** Poll at once instead of at the end of the current pause. */
  kick() {
    this.#wake?.();
  }

  /** Show the picture of a past epoch in every view of this run; null goes back to live. */
  scrub(epoch) {
    this.epoch = epoch;
    this.#wanted = epoch;
    if (epoch === null) this.pastFrame = null;
    else if (this.#past.has(epoch)) this.#arrive(epoch, this.#past.get(epoch));
    else this.#fetchPast();
    this.#changed();
  }

  async #fetchPast() {
    if (this.#fetching) return;
    this.#fetching = true;
    while (this.#wanted !== null && this.epoch !== null) {
      const epoch = this.#wanted;
      this.#wanted = null;
      try {
        const answer = await fetch(address(`api/runs/${encodeURIComponent(this.run)}/frame?epoch=${epoch}`));
        if (!answer.ok) continue;
        const body = decode(await answer.json());
        const frame = body?.frame ?? body;
        if (!frame || typeof frame !== "object" || frame.error) continue;
        this.#past.set(epoch, frame);
        if (this.#past.size > KEPT) this.#past.delete(this.#past.keys().next().value);
        if (this.epoch !== null && (this.#wanted === null || this.pastFrame === null)) this.#arrive(epoch, frame);
      } catch {
        await new Promise((done) => setTimeout(done, 300)); // the poller shows that the server is away
      }
    }
    this.#fetching = false;
  }

  #arrive(epoch, frame) {
    this.pastFrame = frame;
    this.#wanted = this.#wanted === epoch ? null : this.#wanted;
    this.#changed();
  }

  #changed() {
    this.version++;
    for (const listener of [...this.#listeners]) listener(this);
  }

  async #poll() {
    this.#polling = true;
    while (this.#listeners.size > 0) {
      const start = performance.now();
      try {
        const answer = await fetch(address(`api/runs/${encodeURIComponent(this.run)}?since=${encodeURIComponent(this.cursor)}`), {
          cache: "no-store",
        });
        if (answer.status === 404) this.#missing();
        else if (!answer.ok) throw new Error(String(answer.status));
        else this.#take(await answer.json());
      } catch {
        this.#failures++;
        if (this.#failures === 2) {
          this.reconnecting = true;
          this.#changed();
        }
      }
      await this.#pause(performance.now() - start);
    }
    this.#polling = false;
  }

  #missing() {
    this.#failures = 0;
    if (this.status.state === "unknown") return;
    this.reconnecting = false;
    this.status = { state: "unknown", known: false, message: "This run is not on this server any more. Start a new one." };
    this.#changed();
  }

  #take(answer) {
    const wasAway = this.reconnecting;
    this.#failures = 0;
    this.reconnecting = false;
    const before = JSON.stringify(this.status);
    if (answer.reset) {
      const epoch = this.epoch;
      this.#clear();
      this.epoch = epoch;
    }
    const { rows = [], events = [], scene, frame, cursor, ...status } = answer;
    delete status.reset;
    this.cursor = cursor ?? this.cursor;
    this.status = status;
    this.table.add(rows);
    this.events.push(...events);
    if (scene) this.scene = decode(scene);
    if (frame) {
      if (this.frame && frame.step < this.frame.step) this.#past.clear(); // the run was set back
      this.frame = decode(frame);
    }
    const news = rows.length || events.length || scene || frame || wasAway || answer.reset;
    if (news || JSON.stringify(status) !== before) this.#changed();
  }

  #pause(took) {
    return new Promise((done) => {
      const begun = performance.now();
      const end = () => {
        this.#wake = null;
        done();
      };
      let timer = setTimeout(end, this.#delay(took));
      this.#wake = () => {
        clearTimeout(timer); // a held key wakes it often: still at most one poll per FAST
        timer = setTimeout(end, Math.max(0, FAST - (performance.now() - begun)));
      };
    });
  }

  #delay(took) {
    if (this.#failures) return Math.min(2000, 250 * 2 ** this.#failures);
    if (document.hidden) return HIDDEN;
    if (this.status.known === false) return SLOW.unknown;
    // the first picture of a run is a few milliseconds away: somebody has just asked for it
    if (!this.frame && performance.now() - this.born < SOON) return FIRST;
    const eager = performance.now() - touched < EAGER;
    const rest = eager ? FAST : (SLOW[this.status.state] ?? IDLE);
    return Math.max(rest - took, took); // a steady beat; a busy server is asked less often
  }
}

/** Address of a route of this server, also below `server.baseUrlPath`. */
function address(path) {
  return `${import.meta.url.split("/assets/views/")[0]}/${path}`;
}

// Small pictures side by side, with their words. Text is only ever text; pictures are data: addresses.

import { define, make } from "../shared/view.js";

const CSS = `
.tiles { display: flex; flex-wrap: wrap; gap: 0.6em 0.75em; align-items: flex-start; }
.tile { margin: 0; width: calc(var(--size) * 1rem / 16); min-width: 0; border-radius: 0.4em; }
.tile img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: auto;
  background: var(--st-secondary-background-color); border-radius: 0.3em; }
.tile img.few { image-rendering: pixelated; }
.tile b, .tile span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.tile b { font-weight: 600; margin-top: 0.2em; }
.tile span { font-variant-numeric: tabular-nums; opacity: 0.85; }
.tile[role=button] { cursor: pointer; }
.tile[aria-pressed=true] img { outline: 3px solid var(--st-primary-color); outline-offset: 1px; }
.arrow { align-self: flex-start; margin-top: calc(var(--size) * 0.5rem / 16 - 0.7em); font-size: 1.4em; line-height: 1; }
`;

export default define({
  css: CSS,
  create(ctx) {
    const area = make("div", { class: "tiles" });
    ctx.root.append(area);
    const pick = (index) => ctx.send("pick", { index, at: Date.now() });

    function tile({ src, title, lines }, index) {
      const { pickable, picked } = ctx.data;
      const image = make("img", { alt: "", src });
      image.onload = () => image.classList.toggle("few", image.naturalWidth < 48);
      const words = [title, ...lines].filter(Boolean);
      const box = make("figure", { class: "tile", title: words.join("\n") }, image);
      if (pickable) {
        box.setAttribute("role", "button");
        box.setAttribute("tabindex", "0");
        box.setAttribute("aria-pressed", String(picked === index));
        box.onclick = () => pick(index);
        box.onkeydown = (e) => {
          if (e.key !== "Enter" && e.key !== " ") return;
          e.preventDefault();
          pick(index);
        };
      } else image.setAttribute("alt", words.join(", "));
      if (title) box.append(make("b", {}, title), " ");
      for (const line of lines) box.append(make("span", {}, line), " ");
      if (pickable) box.setAttribute("aria-label", box.textContent.trim() || `picture ${index + 1}`);
      return box;
    }

    return {
      update(data) {
        area.style.setProperty("--size", data.size);
        const made = data.tiles.flatMap((one, i) =>
          data.arrows && i ? [make("span", { class: "arrow", "aria-hidden": "true" }, "→"), tile(one, i)] : [tile(one, i)],
        );
        const held = [...area.children].indexOf(area.getRootNode().activeElement);
        area.replaceChildren(...made);
        area.children[held]?.focus(); // the keyboard stays where it was
        ctx.root.dataset.tiles = String(data.tiles.length);
      },
      paint() {},
    };
  },
});

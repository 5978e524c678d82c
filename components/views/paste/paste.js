// Takes the picture of a paste or a drop and hands over its bytes.

import { define, make } from "../shared/view.js";

export default define({
  css: `
.target { flex: 1; border: 1px dashed var(--st-border-color); border-radius: 0.5rem; display: flex; align-items: center;
  justify-content: center; cursor: text; padding: 0 0.5rem; text-align: center; }
`,
  create(ctx) {
    const target = make("div", { class: "target", tabindex: "0", role: "button" });
    ctx.root.append(target);
    const say = (text) => { target.textContent = text; };

    function take(items) {
      const item = [...(items ?? [])].find((i) => i.kind === "file");
      const file = item?.getAsFile();
      if (!file) return say("The clipboard holds no picture. Copy one and press Ctrl+V here.");
      if (file.size > ctx.data.most) return say(`This picture has ${Math.round(file.size / 1e6)} MB, too many to paste. Upload it.`);
      const reader = new FileReader();
      reader.onload = () => {
        ctx.send("paste", reader.result.split(",")[1]);
        say("Pasted.");
      };
      reader.readAsDataURL(file);
    }

    target.onpaste = (e) => {
      e.preventDefault();
      take(e.clipboardData?.items);
    };
    target.ondragover = (e) => e.preventDefault();
    target.ondrop = (e) => {
      e.preventDefault();
      take(e.dataTransfer?.items);
    };
    target.onfocus = () => say("Now press Ctrl+V");
    target.onblur = () => say(ctx.data.label);

    return {
      update(data) {
        say(data.label);
        target.setAttribute("aria-label", ctx.alt);
      },
      paint() {},
    };
  },
});

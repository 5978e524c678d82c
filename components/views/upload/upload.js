// One file, streamed to the server's own route, with progress and a way to stop.

import { define, make } from "../shared/view.js";

const CSS = `
.upload { display: grid; gap: 0.4em; }
.upload progress { width: 100%; accent-color: var(--st-primary-color); }
.upload .said { overflow-wrap: anywhere; }
`;
const mega = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

export default define({
  css: CSS,
  create(ctx) {
    const input = make("input", { type: "file", hidden: "" });
    const choose = make("button", { type: "button" });
    const stop = make("button", { type: "button", hidden: "" }, "Stop");
    const bar = make("progress", { max: "1", value: "0", hidden: "", "aria-label": "Upload" });
    const said = make("div", { class: "said", role: "status" });
    ctx.root.append(make("div", { class: "upload" }, make("div", { class: "bar" }, choose, stop), bar, said, input));
    let request = null;

    function busy(on) {
      choose.disabled = on;
      stop.hidden = bar.hidden = !on;
    }

    function send(file) {
      if (file.size > ctx.data.most) {
        said.textContent = `${file.name} has ${mega(file.size)}; at most ${mega(ctx.data.most)} fit.`;
        return;
      }
      busy(true);
      request = new XMLHttpRequest();
      request.open("PUT", `/api/upload?name=${encodeURIComponent(file.name)}`);
      request.setRequestHeader("X-Playground", "upload"); // no other site can send this without being asked first
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.onprogress = (e) => {
        bar.value = e.loaded / Math.max(1, file.size);
        said.textContent = `${mega(e.loaded)} of ${mega(file.size)} sent`;
      };
      request.onload = () => {
        busy(false);
        if (request.status === 200) {
          said.textContent = `${file.name} is on the server.`;
          ctx.send("done", { id: JSON.parse(request.responseText).id, name: file.name, at: Date.now() });
        } else said.textContent = request.responseText || `The server answered ${request.status}.`;
      };
      request.onerror = () => { busy(false); said.textContent = "The connection broke. Send the file again."; };
      request.onabort = () => { busy(false); said.textContent = "Stopped; nothing was kept."; };
      request.send(file);
    }

    choose.onclick = () => input.click();
    stop.onclick = () => request?.abort();
    input.onchange = () => {
      if (input.files.length) send(input.files[0]);
      input.value = "";
    };
    return {
      update(data) {
        choose.textContent = data.label;
        input.accept = data.accept;
        input.setAttribute("aria-label", data.label);
      },
      paint() {},
      stop: () => request?.abort(),
    };
  },
});

import { keysAreOn, pageKeys, switchKeys } from "./keys.js";
import { liveLine } from "./live.js";
import { savePicture } from "./picture.js";
import { keepPlace, setLayers } from "./place.js";
import { loadTexts } from "./texts.js";
import { openView } from "./view.js";

const { files, audience } = document.body.dataset;
const texts = await loadTexts(files, document.documentElement.lang);
const live = liveLine(document.querySelector("[data-part=live]"));

/** What the keys do, and the buttons that do the same. */
function commands(view) {
  const { layers, found } = view;
  const hide = () => live(texts.say(layers.hideOrShow() ? "layers-shown" : "layers-hidden"));
  const help = document.querySelector("dialog");
  const made = { n: () => found.step(1), p: () => found.step(-1), 0: hide, h: hide, "?": () => help.showModal() };
  layers.list.slice(0, 9).forEach((one, place) => {
    made[place + 1] = () => {
      layers.change(one, { shown: !one.shown });
      live(texts.say(one.shown ? "layer-shown" : "layer-hidden", { name: view.names.layer(one.layer) }));
    };
  });
  return made;
}

function listen(view) {
  const made = commands(view);
  pageKeys(made);
  const buttons = { hide: made.h, help: made["?"], save: () => savePicture({ ...view, live }) };
  for (const [name, action] of Object.entries(buttons)) {
    document.querySelector(`[data-command=${name}]`).addEventListener("click", action);
  }
  for (const link of document.querySelectorAll("[data-keep-hash]")) {
    link.addEventListener("click", () => (link.hash = location.hash));
  }
  const keys = document.querySelector("[data-part=keys-on]");
  keys.checked = keysAreOn();
  keys.addEventListener("change", () => switchKeys(keys.checked));
}

try {
  const view = await openView(document.querySelector("[data-slide]"), "./", { texts, audience, live, prepare: setLayers });
  keepPlace(view.viewer, view.layers);
  listen(view);
  document.body.dataset.state = "ready";
} catch (error) {
  document.body.dataset.state = "failed";
  live(texts.say("page-failed"));
  throw error;
}

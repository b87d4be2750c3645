import { At } from "./at.js";
import { Found } from "./found.js";
import { pictureKeys } from "./keys.js";
import { Layers } from "./layers.js";
import { Marks } from "./marks.js";
import { Names } from "./names.js";
import { aboutParts, remarks, resultParts } from "./result.js";
import { keepScaleBar } from "./scale_bar.js";
import { layerSwitches } from "./switches.js";
import { slideTiles } from "./tiles.js";
import { isStill, openViewer } from "./viewer.js";
import { keepWhere } from "./where.js";

const AGAIN_MS = 1000;

/** One slide's part of a page: fills what the template left open in `root`; `base` is the slide's address.

`prepare` may set the layers before their first tiles are asked for.
*/
export async function openView(root, base, { texts, audience, live, prepare }) {
  const part = (name) => root.querySelector(`[data-part=${name}]`);
  const names = new Names(texts, audience);
  const description = await described(base);
  const layers = new Layers(description, base, names.plain);
  prepare?.(layers);
  const viewer = await openViewer(part("picture"), slideTiles(description, base, names.plain), root.dataset.map !== "no");
  tellLoading(viewer, part("picture"));
  await layers.open(viewer);
  nameCanvas(viewer, description, texts, root);
  const parts = { viewer, description, layers, names, texts, base, live };
  const marks = new Marks(viewer);
  const at = new At({ ...parts, marks, element: part("at") });
  const found = new Found({ ...parts, marks });
  keepWhere({ ...parts, scaleBar: keepScaleBar(part("scale"), description.mpp, texts), zoom: part("zoom"), place: part("place") });
  pictureKeys(viewer, isStill, () => at.askMiddle());
  part("remarks").append(...remarks(description, names, texts));
  part("layers").append(...layerSwitches(layers, names, texts, description));
  part("result")?.append(...resultParts(description, names, texts));
  part("found")?.append(...found.element());
  part("about")?.append(...aboutParts(description, names, texts));
  tools(root, viewer);
  viewer.addHandler("tile-load-failed", ({ maxReached }) => maxReached && tell(part("lost"), texts.say("tiles-lost")));
  await untilReady(layers, base, texts, part("progress"));
  return { ...parts, marks, at, found };
}

async function described(base) {
  const answer = await fetch(`${base}description.json`);
  return answer.json();
}

function tell(element, words) {
  element.hidden = false;
  element.textContent = words;
}

/** Asks until all layers can be drawn; tells how far they are. */
async function untilReady(layers, base, texts, progress) {
  let { results } = layers.description;
  while (results.some(({ ready }) => ready === false)) {
    const { share, doing } = results.find(({ ready }) => ready === false);
    tell(progress, texts.say("getting-ready", { percent: texts.percent(share ?? 0), doing: doing ?? "" }));
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    ({ results } = await described(base));
    if (results.some((result, r) => result.layers.length !== layers.description.results[r].layers.length)) location.reload();
    results.forEach((result, r) => result.ready !== false && layers.setReady(r));
  }
  progress.hidden = true;
}

/** Whether tiles are still on their way: what is not there yet must not look like nothing. */
function tellLoading({ world }, picture) {
  const tell = () => {
    const images = Array.from({ length: world.getItemCount() }, (_, place) => world.getItemAt(place));
    // What is hidden is not loaded, unless it is about to be shown.
    const wanted = images.filter((each) => each.getOpacity() > 0 || each.getPreload());
    picture.dataset.loaded = wanted.every((each) => each.getFullyLoaded()) ? "yes" : "no";
  };
  const watch = (image) => ["fully-loaded-change", "opacity-change"].forEach((event) => image.addHandler(event, tell));
  world.addHandler("add-item", ({ item }) => {
    watch(item);
    tell();
  });
  world.addHandler("remove-item", tell);
  watch(world.getItemAt(0));
  tell();
}

function nameCanvas(viewer, description, texts, root) {
  const slide = description.name ?? texts.say("slide-unnamed", { n: description.number + 1 });
  viewer.canvas.setAttribute("role", "application");
  viewer.canvas.setAttribute("aria-label", texts.say("picture-name", { slide }));
  viewer.canvas.setAttribute("aria-describedby", root.querySelector("[data-part=picture-keys]").id);
}

/** The buttons beside the picture. */
function tools(root, viewer) {
  const { viewport } = viewer;
  const actions = {
    in: () => viewport.zoomBy(2, null, isStill()),
    out: () => viewport.zoomBy(0.5, null, isStill()),
    whole: () => viewport.goHome(isStill()),
    left: () => viewport.setRotation(viewport.getRotation(false) - 90, isStill()),
    right: () => viewport.setRotation(viewport.getRotation(false) + 90, isStill()),
  };
  for (const button of root.querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => {
      actions[button.dataset.tool]();
      viewport.applyConstraints(isStill());
    });
  }
}

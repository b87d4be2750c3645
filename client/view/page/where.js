import { scaleNow } from "./viewer.js";

const UM_TIMES_POWER = 10;
/** By custom a 40× objective gives 0.25 µm per px, a 20× one 0.5: their product stays. */

/** The objective that would show the slide this large; null where nothing tells. */
export function magnification({ objective_power, mpp }, scale) {
  const power = objective_power || (mpp ? UM_TIMES_POWER / mpp : null);
  return power ? power / scale : null;
}

/** A patient's page has no number below 1 but whole ones. */
export function magnificationWords(description, scale, names, texts) {
  const times = magnification(description, scale);
  if (times === null) return "";
  if (names.plain) return times < 1 ? "" : texts.say("magnification", { n: texts.number(Math.round(times)) });
  return texts.say("magnification", { n: texts.number(times, 2) });
}

/** Keeps magnification, scale bar and the place under the pointer, or else in the middle, up to date. */
export function keepWhere({ viewer, description, names, texts, scaleBar, zoom, place }) {
  const image = viewer.world.getItemAt(0);
  const tell = ({ x, y }) => {
    const words = (each) => texts.number(Math.floor(each));
    place.textContent = texts.say("coordinates", { x: words(x), y: words(y) });
  };
  const middle = () => tell(image.viewportToImageCoordinates(viewer.viewport.getCenter(true)));
  const all = () => {
    const scale = scaleNow(viewer);
    scaleBar(scale);
    zoom.textContent = magnificationWords(description, scale, names, texts);
    middle();
  };
  viewer.addHandler("update-viewport", all);
  viewer.container.addEventListener("pointermove", (event) => {
    const { left, top } = viewer.container.getBoundingClientRect();
    tell(image.viewerElementToImageCoordinates(new OpenSeadragon.Point(event.clientX - left, event.clientY - top)));
  });
  viewer.container.addEventListener("pointerleave", middle);
  all();
}

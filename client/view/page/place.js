import { show, viewOf } from "./viewer.js";

/** The address says what is seen: `#at=x,y,scale,turn&show=0/1:80:0-2:0.25;…`, so that a link opens the same view.

Of each layer: result/layer, opacity in per cent (negative: hidden), the classes shown if not all, the value from which on.
*/
export function hashOf(view, layers) {
  const place = [view.x.toFixed(1), view.y.toFixed(1), view.scale.toPrecision(6), view.turn].join(",");
  return `#at=${place}&show=${layers.map(ofLayer).join(";")}`;
}

function ofLayer(one) {
  const percent = Math.round(one.opacity * 100);
  const every = (one.layer.classes?.length ?? 0) === one.of.size;
  const parts = [one.address, `${one.shown ? "" : "-"}${percent}`, every ? "" : `of${[...one.of].join("-")}`, one.from ?? ""];
  return parts.join(":").replace(/:+$/, "");
}

/** What an address says; leaves out what is no such thing. */
export function readHash(hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const [x, y, scale, turn] = (said.get("at") ?? "").split(",").map(Number);
  const whole = [x, y, scale, turn].every(Number.isFinite) && scale > 0;
  return { view: whole ? { x, y, scale, turn } : null, layers: (said.get("show") ?? "").split(";").map(readLayer) };
}

function readLayer(text) {
  const [address, percent = "", of = "", from = ""] = text.split(":");
  const opacity = Math.min(100, Math.abs(Number(percent) || 0)) / 100;
  const classes = of.startsWith("of") ? of.slice(2).split("-").filter(Boolean).map(Number) : null;
  return { address, shown: !percent.startsWith("-"), opacity, of: classes, from: from === "" ? null : Number(from) };
}

/** Whether anything of the slide can be seen there. */
function showsSlide({ x, y, scale }, { width, height }) {
  const near = [[x, width], [y, height]].every(([at, length]) => at > -length && at < 2 * length);
  return near && scale > 1 / 64 && scale < Math.max(width, height);
}

/** Sets the layers as the address says. */
export function setLayers(layers, hash = location.hash) {
  for (const { address, shown, opacity, of, from } of readHash(hash).layers) {
    const one = layers.at(address);
    if (!one) continue;
    const classes = new Set((one.layer.classes ?? []).keys());
    const known = of === null ? classes : new Set(of.filter((each) => classes.has(each)));
    layers.change(one, { shown, opacity, of: known, from: Number.isFinite(from) ? from : null });
  }
}

/** Keeps address and view the same, both ways. */
export function keepPlace(viewer, layers) {
  const go = (hash, immediately) => {
    const { view } = readHash(hash);
    if (view && showsSlide(view, layers.description)) show(viewer, view, immediately);
  };
  go(location.hash, true);
  let waiting = 0;
  const write = () => {
    clearTimeout(waiting);
    // Browsers refuse more than some hundred changes in half a minute.
    waiting = setTimeout(() => history.replaceState(null, "", hashOf(viewOf(viewer), layers.list)), 250);
  };
  viewer.addHandler("viewport-change", write);
  viewer.addHandler("animation-finish", write);
  viewer.addHandler("rotate", write);
  layers.addEventListener("change", write);
  addEventListener("hashchange", ({ newURL }) => {
    // Not the address as it is by now: what was waiting to be written may have been written over it.
    const { hash } = new URL(newURL);
    setLayers(layers, hash);
    go(hash);
  });
}

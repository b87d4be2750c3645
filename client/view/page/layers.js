import { layerTiles } from "./tiles.js";
import { addAbove } from "./viewer.js";

/** From below to above: what fills hides what is drawn in lines. */
const ORDER = ["not-seen", "grid", "shapes", "arrows", "cards"];

/** What is shown above the slide; dispatches "change" when anything is switched. */
export class Layers extends EventTarget {
  constructor(description, base) {
    super();
    this.description = description;
    this.base = base;
    this.list = description.results.flatMap((result, r) => inOrder(result.layers).map((layer) => state(result, r, layer)));
    this.images = new Map();
  }

  /** Puts all of them above the slide. */
  async open(viewer) {
    for (const one of this.list.toSorted((a, b) => ORDER.indexOf(a.layer.kind) - ORDER.indexOf(b.layer.kind))) {
      this.images.set(one, await addAbove(viewer, layerTiles(this.description, this.base, one), seen(one)));
    }
  }

  /** From now on this result's tiles can be asked for. */
  setReady(r) {
    for (const one of this.list.filter((each) => each.r === r && !each.ready)) this.change(one, { ready: true });
  }

  at(address) {
    return this.list.find((one) => one.address === address);
  }

  /** `changes`: any of shown, opacity, of, from. */
  change(one, changes) {
    const asksAgain = ("of" in changes && !same(one.of, changes.of)) || ("from" in changes && one.from !== changes.from);
    Object.assign(one, changes);
    const image = this.images.get(one);
    image?.setOpacity(seen(one));
    if (asksAgain) image?.reset();
    this.dispatchEvent(new CustomEvent("change", { detail: one }));
  }

  /** Hides all, or shows again what was shown before; returns whether they are shown now. */
  hideOrShow() {
    const shown = this.list.filter((one) => one.shown);
    if (shown.length) {
      this.before = shown;
      shown.forEach((one) => this.change(one, { shown: false }));
      return false;
    }
    (this.before ?? this.list).forEach((one) => this.change(one, { shown: true }));
    return true;
  }
}

/** What was not looked at comes first. */
function inOrder(layers) {
  return [...layers].sort((a, b) => (b.kind === "not-seen") - (a.kind === "not-seen"));
}

function state(result, r, layer) {
  const of = new Set((layer.classes ?? []).keys());
  // Two analyses over each other hide one another: the first is shown, the others are a key away.
  const opacity = layer.kind === "grid" ? 0.6 : 1;
  return { address: `${r}/${layer.id}`, result, r, layer, shown: r === 0, ready: result.ready !== false, opacity, of, from: null };
}

function seen(one) {
  return one.shown && one.ready ? one.opacity : 0;
}

function same(a, b) {
  return a.size === b.size && [...a].every((each) => b.has(each));
}

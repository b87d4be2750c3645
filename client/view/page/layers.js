import { layerTiles } from "./tiles.js";
import { addLayer } from "./viewer.js";

/** From below to above: what fills hides what is drawn in lines. */
const ORDER = ["not-seen", "grid", "shapes", "arrows", "cards"];

/** What is shown above the slide; dispatches "change" when anything is switched. */
export class Layers extends EventTarget {
  /** `plain`: values are written nowhere. */
  constructor(description, base, plain) {
    super();
    Object.assign(this, { description, base, plain });
    this.list = description.results.flatMap((result, r) => inOrder(result.layers).map((layer) => state(result, r, layer)));
    this.images = new Map();
  }

  /** Puts all of them above the slide. */
  async open(viewer) {
    for (const one of this.list.toSorted((a, b) => ORDER.indexOf(a.layer.kind) - ORDER.indexOf(b.layer.kind))) {
      this.images.set(one, await addLayer(viewer, this.tiles(one), { opacity: seen(one) }));
    }
    this.viewer = viewer;
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
    if (changes.shown) this.hideOthers(one);
    const image = this.images.get(one);
    image?.setOpacity(seen(one));
    if (asksAgain && image) this.renew(one);
    this.dispatchEvent(new CustomEvent("change", { detail: one }));
  }

  /** Of a result's heat maps one is shown at a time: over each other their colours would mean nothing. */
  hideOthers(one) {
    if (one.layer.kind !== "grid") return;
    const others = this.list.filter((each) => each !== one && each.r === one.r && each.layer.kind === "grid");
    others.filter((each) => each.shown).forEach((each) => this.change(each, { shown: false }));
  }

  /** Takes other tiles: those before stay until all of them are there, so that nothing flickers. */
  async renew(one) {
    const { world } = this.viewer;
    const turn = (one.turn += 1);
    const index = world.getIndexOfItem(this.images.get(one)) + 1;
    const image = await addLayer(this.viewer, this.tiles(one), { opacity: 0, preload: seen(one) > 0, index });
    if (seen(one)) await new Promise((resolve) => image.whenFullyLoaded(resolve));
    // Switched again in between, it is another's turn.
    if (turn !== one.turn) return world.removeItem(image);
    world.removeItem(this.images.get(one));
    this.images.set(one, image);
    image.setPreload(false);
    return image.setOpacity(seen(one));
  }

  tiles(one) {
    return layerTiles(this.description, this.base, one, this.plain);
  }

  /** Hides all, or shows again what was shown before; returns whether they are shown now. */
  hideOrShow() {
    const shown = this.list.filter((one) => one.shown);
    if (shown.length) {
      this.before = shown;
      shown.forEach((one) => this.change(one, { shown: false }));
      return false;
    }
    // The first heat map last: of several it stays.
    (this.before ?? this.list).toReversed().forEach((one) => this.change(one, { shown: true }));
    return true;
  }
}

/** What was not looked at comes first. */
function inOrder(layers) {
  return [...layers].sort((a, b) => (b.kind === "not-seen") - (a.kind === "not-seen"));
}

function state(result, r, layer) {
  const of = new Set((layer.classes ?? []).keys());
  // Two analyses over each other hide one another, and so do two heat maps: the first is shown, the others a key away.
  const further = layer.kind === "grid" && layer !== result.layers.find((each) => each.kind === "grid");
  const opacity = layer.kind === "grid" ? 0.6 : 1;
  return { address: `${r}/${layer.id}`, result, r, layer, shown: r === 0 && !further, ready: result.ready !== false, opacity, of, from: null, turn: 0 };
}

function seen(one) {
  return one.shown && one.ready ? one.opacity : 0;
}

function same(a, b) {
  return a.size === b.size && [...a].every((each) => b.has(each));
}

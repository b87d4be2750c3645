import { anId, make, swatch } from "./element.js";
import { gridLegend } from "./grid_legend.js";

/** The panel's part that shows, hides, fades and narrows the layers; follows whatever else changes them. */
export function layerSwitches(layers, names, texts, description) {
  const groups = new Map();
  layers.list.forEach((one, place) => {
    if (!groups.has(one.r)) groups.set(one.r, []);
    groups.get(one.r).push(row(one, place, layers, names, texts));
  });
  const several = description.results.length > 1;
  return [...groups].map(([r, rows]) => {
    const title = several ? make("h3", {}, names.result(description.results[r], r)) : null;
    return make("div", {}, title, unmarked(layers, r, texts), make("ul", { class: "layers", role: "list" }, rows));
  });
}

/** Says that what was not looked at is not marked, while other layers of the result are shown: it would look normal. */
function unmarked(layers, r, texts) {
  const words = make("p", { class: "warning" }, texts.say("not-seen-hidden"));
  const own = layers.list.filter((one) => one.r === r);
  const update = () => {
    const [bare, others] = [true, false].map((kind) => own.filter((one) => (one.layer.kind === "not-seen") === kind && one.shown && one.opacity > 0));
    words.hidden = bare.length > 0 || !others.length;
  };
  layers.addEventListener("change", update);
  update();
  return words;
}

function row(one, place, layers, names, texts) {
  const name = names.layer(one.layer);
  const box = make("input", { type: "checkbox", id: anId(), change: () => layers.change(one, { shown: box.checked }) });
  const title = make("label", { for: box.id }, name);
  const key = place < 9 ? make("kbd", { "aria-hidden": "true" }, String(place + 1)) : null;
  const [fader, follow] = opacity(one, layers, texts.say("opacity-of", { name }), texts);
  const [legend, followLegend] = legendOf(one, layers, names, texts);
  const update = () => {
    box.checked = one.shown;
    follow();
    followLegend();
  };
  layers.addEventListener("change", (event) => event.detail === one && update());
  update();
  return make("li", { class: "layer", "data-layer": one.address }, make("div", { class: "head" }, box, title, key), fader, legend);
}

function opacity(one, layers, name, texts) {
  const slider = make("input", {
    type: "range", min: 0, max: 100, step: 5, "aria-label": name,
    input: () => layers.change(one, { opacity: Number(slider.value) / 100 }),
  });
  const said = make("output", {});
  const follow = () => {
    slider.value = Math.round(one.opacity * 100);
    said.textContent = texts.percent(one.opacity);
    slider.setAttribute("aria-valuetext", said.textContent);
  };
  return [make("div", { class: "fader" }, slider, said), follow];
}

const nothing = () => {};

function legendOf(one, layers, names, texts) {
  if (one.layer.kind === "not-seen") return [notSeen(one, texts), nothing];
  if (one.layer.kind === "grid") return gridLegend(one, layers, names, texts);
  if (one.layer.classes?.length) return classes(one, layers, names, texts);
  return [arrows(one, texts), nothing];
}

function notSeen(one, texts) {
  const { failed } = one.result.tiles;
  return make("ul", { class: "legend", role: "list" },
    make("li", {}, swatch(null, "failed"), texts.say("not-seen-failed", { n: texts.number(failed) })),
    make("li", {}, swatch(null, "unplanned"), texts.say("not-seen-unplanned")));
}

function arrows({ layer: { colour, count } }, texts) {
  return make("div", { class: "legend" }, swatch(colour, "line"), make("span", { class: "count" }, texts.number(count ?? 0)));
}

/** A switch for each class, with its colour and how many there are. */
function classes(one, layers, names, texts) {
  const boxes = one.layer.classes.map((each, place) => {
    const box = make("input", { type: "checkbox", id: anId(), change: () => layers.change(one, { of: toggled(one.of, place) }) });
    const count = make("span", { class: "count" }, texts.number(each.count));
    const label = make("label", { for: box.id }, swatch(each.colour, one.layer.kind), names.class(each.name, place), " ", count);
    return { box, item: make("li", {}, box, label) };
  });
  const follow = () => boxes.forEach(({ box }, place) => (box.checked = one.of.has(place)));
  const name = texts.say("classes-of", { name: names.layer(one.layer) });
  return [make("ul", { class: "legend", role: "list", "aria-label": name }, boxes.map(({ item }) => item)), follow];
}

function toggled(of, place) {
  const others = new Set(of);
  if (!others.delete(place)) others.add(place);
  return others;
}

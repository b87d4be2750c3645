import { make, swatch } from "./element.js";
import { frame } from "./viewer.js";

/** The places worth looking at, worst first, as tables beside the picture; one of them is the current one. */
export class Found extends EventTarget {
  constructor({ viewer, marks, layers, names, texts, description, live }) {
    super();
    Object.assign(this, { viewer, marks, layers, names, texts, description, live });
    this.entries = layers.list.flatMap((one) => (one.layer.kind === "cards" ? one.layer.cards.map((card) => ({ one, card })) : []));
    this.current = -1;
    this.rows = [];
  }

  /** `by`: 1 for the next one, −1 for the one before; goes round. */
  step(by) {
    const count = this.entries.length;
    if (!count) return this.live(this.texts.say("found-none"));
    const start = this.current < 0 && by < 0 ? 0 : this.current;
    return this.go((start + by + count) % count);
  }

  go(place) {
    this.current = place;
    const { one, card } = this.entries[place];
    // With what was not looked at around it.
    const around = this.layers.list.filter((each) => each === one || (each.r === one.r && each.layer.kind === "not-seen"));
    around.filter((each) => !each.shown).forEach((each) => this.layers.change(each, { shown: true }));
    this.marks.set("frame", [corners(card.region)]);
    frame(this.viewer, card.region);
    this.rows.forEach((row, each) => (each === place ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current")));
    showRow(this.rows[place]);
    const values = { n: place + 1, of: this.entries.length, name: this.name(this.entries[place]), size: this.size(card) };
    this.live(this.texts.say("found-at", values));
  }

  name({ one, card }) {
    if (this.names.plain) return this.texts.say("plain-place", { n: card.number });
    return `${card.number} · ${this.names.found(card.caption, one.layer)}`;
  }

  size({ region: [, , width, height] }) {
    const { mpp } = this.description;
    const rounded = (each) => this.texts.number(Math.round(mpp ? each * mpp : each));
    return this.texts.say(mpp ? "size-um" : "size-px", { width: rounded(width), height: rounded(height) });
  }

  /** A table for each layer of cards, and the buttons. */
  element() {
    this.rows = this.entries.map((entry, place) => this.row(entry, place));
    const tables = this.layers.list.filter((one) => one.layer.kind === "cards").map((one) => this.table(one));
    if (!this.entries.length) return [make("p", {}, this.texts.say("found-none")), ...tables];
    const steps = [["found-previous", -1, "p"], ["found-next", 1, "n"]].map(([text, by, key]) =>
      make("button", { type: "button", "aria-keyshortcuts": key, click: () => this.step(by) }, this.texts.say(text), make("kbd", { "aria-hidden": "true" }, key)));
    return [make("div", { class: "steps" }, steps), ...tables];
  }

  table(one) {
    const { texts, names } = this;
    const rows = this.rows.filter((_, place) => this.entries[place].one === one);
    const said = names.plain ? texts.say("plain-cards") : make("span", { lang: "en" }, one.layer.said);
    const title = names.result(this.description.results[one.r], one.r);
    const heads = ["column-place", "column-size", ...(names.plain ? [] : ["column-values"])];
    if (!rows.length) return make("p", {}, said);
    return make("div", { class: "found", role: "group", "aria-label": texts.say("section-found"), tabindex: 0 }, make("table", {},
      make("caption", {}, make("strong", {}, title), " ", said),
      make("thead", {}, make("tr", {}, heads.map((each) => make("th", { scope: "col" }, texts.say(each))))),
      make("tbody", {}, rows)));
  }

  row(entry, place) {
    const { one, card } = entry;
    const kind = one.layer.classes?.[card.of];
    const button = make("button", { type: "button", class: "go", click: () => this.go(place) }, kind ? swatch(kind.colour, "cards") : null, this.name(entry));
    const cells = [make("th", { scope: "row" }, button), make("td", {}, this.size(card))];
    if (!this.names.plain) cells.push(make("td", {}, numbers(card.numbers, this.names, this.texts)));
    return make("tr", {}, cells);
  }
}

/** Scrolls what scrolls beside the picture, and not the page: on a narrow one the picture stays in sight. */
function showRow(row) {
  for (const box of [row?.closest(".found"), row?.closest(".panel")]) {
    if (!box) continue;
    const [outer, inner] = [box, row].map((each) => each.getBoundingClientRect());
    if (inner.top < outer.top) box.scrollTop -= outer.top - inner.top;
    if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom;
  }
}

/** Measurements as a list of names and values. */
export function numbers(measured, names, texts) {
  const entries = Object.entries(measured ?? {}).filter(([, value]) => value !== null);
  const rows = entries.map(([name, value]) => make("div", {}, make("dt", {}, names.measure(name)), make("dd", {}, measuredAs(name, value, texts))));
  return make("dl", { class: "numbers" }, rows);
}

/** A heat map's value goes by its unit; there "%" means a share of 1. */
function measuredAs(name, value, texts) {
  return name === "%" ? texts.percent(value) : texts.number(value);
}

function corners([x, y, width, height]) {
  return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]];
}

import { make } from "./element.js";
import { numbers } from "./found.js";

/** What lies where the reader clicked, asked of the server for each result that is shown. */
export class At {
  constructor({ viewer, marks, layers, names, texts, description, base, live, element }) {
    Object.assign(this, { viewer, marks, layers, names, texts, description, base, live, element });
    this.asked = 0;
    viewer.addHandler("canvas-click", (event) => {
      if (!event.quick) return;
      const place = viewer.world.getItemAt(0).viewerElementToImageCoordinates(event.position);
      this.ask(place.x, place.y);
    });
  }

  /** Of the middle of what is seen, for readers without a mouse. */
  askMiddle() {
    const place = this.viewer.world.getItemAt(0).viewportToImageCoordinates(this.viewer.viewport.getCenter(true));
    return this.ask(place.x, place.y);
  }

  async ask(l0_x, l0_y) {
    this.asked += 1;
    const mine = this.asked;
    const results = [...new Set(this.layers.list.filter((one) => one.shown && one.ready).map((one) => one.r))];
    const answers = await Promise.all(results.map((r) => this.of(r, l0_x, l0_y))).catch(() => null);
    // An answer to an earlier click must not replace that of a later one.
    if (mine !== this.asked) return;
    if (answers) this.tell(answers.flat(), l0_x, l0_y);
    else this.fail();
  }

  /** Raises what `fetch` raises, and for an answer that is none. */
  async of(r, l0_x, l0_y) {
    const { width, height } = this.description;
    if (l0_x < 0 || l0_y < 0 || l0_x >= width || l0_y >= height) return [];
    const answer = await fetch(`${this.base}at?x=${l0_x.toFixed(2)}&y=${l0_y.toFixed(2)}&r=${r}`);
    if (!answer.ok) throw new Error(answer.status);
    const { found } = await answer.json();
    return found.map((each) => ({ ...each, one: this.layers.at(`${r}/${each.layer}`) })).filter(({ one }) => one?.shown);
  }

  /** That nothing is known of the place must not look like nothing being there. */
  fail() {
    const words = this.texts.say("at-failed");
    this.marks.set("clicked", []);
    this.element.replaceChildren(make("p", { class: "warning" }, words));
    this.live(words);
  }

  tell(found, l0_x, l0_y) {
    const { texts } = this;
    const place = texts.say("at-place", { x: texts.number(Math.floor(l0_x)), y: texts.number(Math.floor(l0_y)) });
    this.marks.set("clicked", found.map(({ outline }) => outline ?? []).filter((outline) => outline.length > 1));
    const items = found.map((each) => this.item(each));
    const nothing = make("p", {}, texts.say("at-nothing"));
    this.element.replaceChildren(make("p", { class: "place" }, place), items.length ? make("ul", { role: "list" }, items) : nothing);
    const said = found.map(({ name, one }) => this.names.found(name, one.layer)).join(", ");
    this.live(`${place} ${said || nothing.textContent}`);
  }

  item({ name, numbers: measured, one }) {
    const title = make("strong", {}, this.names.found(name, one.layer));
    return make("li", {}, title, this.names.plain ? null : numbers(measured, this.names, this.texts));
  }
}

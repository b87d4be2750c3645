import { make } from "./element.js";

const STEPS = 100;

/** The colours of a heat map with the values at their ends, and the slider below which nothing is shown. */
export function gridLegend(one, layers, names, texts) {
  const { limits: [low, high], unit, colours } = one.layer;
  const says = (value) => valueIn(unit, value, texts);
  const ends = names.plain ? [texts.say("scale-low"), texts.say("scale-high")] : [says(low), says(high)];
  const slider = make("input", { type: "range", min: 0, max: STEPS, step: 1, "aria-label": texts.say("threshold-of", { name: names.layer(one.layer) }) });
  const said = make("output", {});
  let waiting = 0;
  slider.addEventListener("input", () => {
    const from = slider.value === "0" ? null : Number((low + ((high - low) * slider.value) / STEPS).toPrecision(6));
    tell(from);
    clearTimeout(waiting);
    // Each step asks for new tiles: wait until the hand rests.
    waiting = setTimeout(() => layers.change(one, { from }), 120);
  });
  const tell = (from) => {
    const words = names.plain ? "" : says(from ?? low);
    said.textContent = from === null ? texts.say("threshold-none") : texts.say(names.plain ? "threshold-plain" : "threshold-from", { value: words });
    slider.setAttribute("aria-valuetext", said.textContent);
  };
  const follow = () => {
    slider.value = one.from === null ? 0 : Math.round(((one.from - low) / (high - low)) * STEPS);
    tell(one.from);
  };
  const bar = make("canvas", { class: "bar", width: colours.length, height: 1, role: "img", "aria-label": ends.join(" – ") });
  paint(bar, colours);
  const scale = make("div", { class: "scale", "aria-hidden": "true" }, ends.map((end) => make("span", {}, end)));
  return [make("div", { class: "legend" }, bar, scale, make("div", { class: "fader" }, slider, said)), follow];
}

/** A value with its unit; "%" means that the value is a share of 1. */
export function valueIn(unit, value, texts) {
  if (unit === "%") return texts.percent(value);
  return unit ? `${texts.number(value)} ${unit}` : texts.number(value);
}

function paint(bar, colours) {
  const pen = bar.getContext("2d");
  colours.forEach(([red, green, blue], x) => {
    pen.fillStyle = `rgb(${red} ${green} ${blue})`;
    pen.fillRect(x, 0, 1, 1);
  });
}

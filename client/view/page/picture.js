import { css } from "./element.js";
import { barOf, lengthWords } from "./scale_bar.js";
import { scaleNow } from "./viewer.js";

const LINE = 20;
const EDGE = 12;

/** The view as a PNG: what is drawn, marks, scale bar, legend of what is shown, and what it is not. */
export async function savePicture(parts) {
  const canvas = pictureOf(parts);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${(parts.description.name ?? "histoserve").replace(/[^\w.-]+/g, "_")}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  parts.live(parts.texts.say("picture-saved", { name: link.download }));
}

/** A canvas with all of it, in page px. */
export function pictureOf(parts) {
  const { viewer } = parts;
  const room = viewer.viewport.getContainerSize();
  const lines = legendLines(parts);
  const canvas = document.createElement("canvas");
  canvas.width = room.x;
  canvas.height = room.y + lines.length * LINE + 2 * EDGE;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(viewer.drawer.canvas, 0, 0, room.x, room.y);
  drawMarks(pen, parts.marks);
  drawScale(pen, parts, room);
  lines.forEach((line, place) => drawLine(pen, line, room.y + EDGE + place * LINE, canvas.width));
  return canvas;
}

/** What stands below the picture: each with the colour before it, if any. */
function legendLines({ description, layers, names, texts }) {
  const shown = layers.list.filter((one) => one.shown && one.opacity > 0);
  const head = [description.name ?? texts.say("slide-unnamed", { n: description.number + 1 })];
  const results = [...new Set(shown.map((one) => one.r))].map((r) => names.result(description.results[r], r));
  const lines = [{ words: [...head, ...results].join(" · ") }];
  for (const one of shown) {
    const classes = (one.layer.classes ?? []).map((each, place) => ({ words: `${names.class(each.name, place)}: ${texts.number(each.count)}`, colour: each.colour, place }));
    lines.push({ words: names.layer(one.layer) }, ...classes.filter(({ place }) => one.of.has(place)));
  }
  return [...lines, { words: texts.say("not-a-device") }];
}

function drawLine(pen, { words, colour }, top, width) {
  const left = colour ? EDGE + LINE : EDGE;
  if (colour) {
    pen.fillStyle = css(colour);
    pen.fillRect(EDGE, top + 3, 13, 13);
    pen.strokeStyle = "black";
    pen.lineWidth = 1;
    pen.strokeRect(EDGE + 0.5, top + 3.5, 13, 13);
  }
  pen.fillStyle = "black";
  pen.font = "14px sans-serif";
  pen.textBaseline = "top";
  pen.fillText(words, left, top + 3, width - left - EDGE);
}

function drawMarks(pen, marks) {
  for (const { points } of marks.outlines()) {
    for (const [colour, wide] of [["black", 5], ["white", 2]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = wide;
      pen.beginPath();
      points.forEach(({ x, y }) => pen.lineTo(x, y));
      pen.closePath();
      pen.stroke();
    }
  }
}

function drawScale(pen, { viewer, description, texts }, room) {
  const bar = description.mpp ? barOf(description.mpp, scaleNow(viewer)) : null;
  const words = bar ? lengthWords(bar.um, texts) : texts.say("scale-unknown");
  pen.font = "14px sans-serif";
  const wide = Math.max(bar?.px ?? 0, pen.measureText(words).width);
  pen.fillStyle = "rgb(255 255 255 / 0.85)";
  pen.fillRect(EDGE - 6, room.y - 46, wide + 12, 40);
  pen.fillStyle = "black";
  pen.textBaseline = "bottom";
  pen.fillText(words, EDGE, room.y - 20);
  if (bar) pen.fillRect(EDGE, room.y - 16, bar.px, 4);
}

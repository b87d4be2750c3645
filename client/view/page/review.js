import { keysAreOn, pageKeys, switchKeys } from "./keys.js";
import { liveLine } from "./live.js";
import { lookCloser } from "./pair.js";
import { loadTexts } from "./texts.js";
import { TileSet } from "./tile_set.js";

const { files, token } = document.body.dataset;
const texts = await loadTexts(files, document.documentElement.lang);
const part = (name) => document.querySelector(`[data-part=${name}]`);
const live = liveLine(part("live"));
const tiles = new TileSet(token);
let here = null;
let waiting = false;

/** What went wrong, until something goes right. */
function trouble(words) {
  part("trouble").textContent = words;
  part("trouble").hidden = !words;
}

function pictures(tile) {
  for (const stain of ["he", "ihc"]) {
    const image = part(stain);
    image.src = tiles.picture(tile, stain);
    image.alt = texts.say(`review-alt-${stain}`, tile);
    part(`${stain}-name`).textContent = tile[stain] ?? "";
  }
  // The next ones are there when they are asked for.
  const next = tiles.after(tile, part("show").value);
  if (next) for (const stain of ["he", "ihc"]) new Image().src = tiles.picture(next, stain);
}

function words(tile) {
  part("marker").textContent = tile.marker;
  part("number").textContent = texts.say("review-number", { ...tile, place: tiles.place(tile), of: tiles.list.length });
  const none = tile.reading === null;
  part("reading").textContent = none ? texts.say("review-no-reading") : texts.say("review-reading", { percent: texts.percent(tile.reading) });
  part("counts").textContent = texts.say("review-counts", tile);
  const um = tile.residual_um;
  const side = texts.number(tile.side_um);
  part("residual").textContent = um === null ? texts.say("review-no-residual") : texts.say("review-residual", { um: texts.number(um), side });
}

function decided(tile) {
  const fixed = Boolean(tile.reason);
  part("decision").textContent = fixed ? texts.say("review-beforehand", { reason: tile.reason }) : texts.say(`review-is-${tile.decision || "undecided"}`);
  for (const button of document.querySelectorAll("[data-decide]")) {
    button.disabled = fixed || (button.dataset.decide === "accept" && tile.reading === null);
    button.setAttribute("aria-pressed", String(button.dataset.decide === tile.decision && tile.decision !== ""));
  }
  const done = tiles.list.length - tiles.count("undecided");
  part("done").max = Math.max(1, tiles.list.length);
  part("done").value = done;
  const counts = { done, of: tiles.list.length, accepted: tiles.count("accept"), dropped: tiles.count("drop") };
  part("progress").textContent = texts.say("review-progress", counts);
}

function show(tile) {
  const moved = here !== tile;
  here = tile;
  if (moved) {
    pictures(tile);
    history.replaceState(null, "", `#at=${tile.pair},${tile.tile}`);
  }
  words(tile);
  decided(tile);
}

function step(by) {
  const tile = by > 0 ? tiles.after(here, part("show").value) : tiles.before(here, part("show").value);
  if (tile) show(tile);
  else live(texts.say("review-end"));
}

async function decide(decision) {
  const tile = here;
  if (waiting || !tile || tile.reason) return;
  if (decision === "accept" && tile.reading === null) {
    live(texts.say("review-not-acceptable"));
    return;
  }
  waiting = true;
  const answer = await tiles.decide(tile, decision);
  waiting = false;
  trouble(answer.trouble ? texts.say(`review-${answer.trouble}`, { detail: answer.detail ?? "" }) : "");
  if (!answer.trouble) live(texts.say("review-said", { ...tile, decision: texts.say(`review-is-${decision || "undecided"}`) }));
  const next = answer.trouble || decision === "" ? null : tiles.after(tile, "undecided");
  // Whoever has gone on meanwhile is not called back.
  show(here === tile ? next ?? tile : here);
  if (!answer.trouble && tiles.count("undecided") === 0) live(texts.say("review-all-done"));
}

/** What other windows and other programs wrote meanwhile. */
async function refresh() {
  const answer = await tiles.load();
  trouble(answer.trouble ? texts.say(`review-${answer.trouble}`, { detail: answer.detail ?? "" }) : "");
  if (here && !answer.trouble) show(tiles.same(here) ?? here);
}

function listen() {
  const help = () => document.querySelector("dialog").showModal();
  const next = () => step(1);
  const previous = () => step(-1);
  const size = lookCloser(document.querySelector("main"), document.querySelector("[data-command=size]"));
  const made = { a: () => decide("accept"), d: () => decide("drop"), u: () => decide(""), z: size, "?": help };
  pageKeys({ ...made, n: next, p: previous, ArrowRight: next, ArrowLeft: previous });
  for (const [name, action] of Object.entries({ help, next, previous, size })) {
    document.querySelector(`[data-command=${name}]`).addEventListener("click", action);
  }
  for (const button of document.querySelectorAll("[data-decide]")) {
    button.addEventListener("click", () => decide(button.dataset.decide));
  }
  for (const link of document.querySelectorAll("[data-keep-hash]")) {
    link.addEventListener("click", () => (link.hash = location.hash));
  }
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
  const keys = part("keys-on");
  keys.checked = keysAreOn();
  keys.addEventListener("change", () => switchKeys(keys.checked));
}

try {
  await refresh();
  listen();
  const first = tiles.at(location.hash) ?? tiles.list.find((each) => each.decision === "") ?? tiles.list[0];
  if (first) show(first);
  document.body.dataset.state = "ready";
} catch (error) {
  document.body.dataset.state = "failed";
  live(texts.say("page-failed"));
  throw error;
}

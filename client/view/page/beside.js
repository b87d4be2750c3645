import { link } from "./linked.js";
import { liveLine } from "./live.js";
import { loadTexts } from "./texts.js";
import { openView } from "./view.js";

const { files, audience } = document.body.dataset;
const texts = await loadTexts(files, document.documentElement.lang);
const live = liveLine(document.querySelector("[data-part=live]"));

/** How the two views follow each other, in words. */
function tellHow({ linked, mpp }) {
  const [first, second] = (mpp ?? []).map((each) => (each ? texts.number(each) : "–"));
  const words = texts.say(audience === "patient" ? "plain-linked" : `linked-${linked}`, { first, second });
  document.querySelector("[data-part=how]").textContent = words;
}

try {
  const sections = [...document.querySelectorAll("[data-slide]")];
  const views = await Promise.all(sections.map((root) => openView(root, root.dataset.base, { texts, audience, live })));
  const answer = await fetch("description.json");
  const pair = await answer.json();
  tellHow(pair);
  const box = document.querySelector("[data-part=linked]");
  const follow = link(views.map(({ viewer }) => viewer), pair.matrix, () => box.checked);
  box.addEventListener("change", () => {
    if (box.checked) follow();
    live(texts.say(box.checked ? "linked-on" : "linked-off"));
  });
  document.body.dataset.state = "ready";
} catch (error) {
  document.body.dataset.state = "failed";
  live(texts.say("page-failed"));
  throw error;
}

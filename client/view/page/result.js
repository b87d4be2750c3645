import { make } from "./element.js";

/** What each analysis says as a whole: for a doctor its words and numbers, for a patient how much was marked. */
export function resultParts(description, names, texts) {
  return description.results.map((result, r) => {
    const title = make("h3", {}, names.result(result, r));
    if (names.plain) return make("section", {}, title, ...plain(result, r, names, texts));
    const tree = make("details", {}, make("summary", {}, texts.say("result-numbers")), branch(result.result, names, texts));
    return make("section", {}, title, make("p", { class: "result-words", lang: "en" }, result.words), looked(result, texts), warnings(result, texts), tree);
  });
}

function plain(result, r, names, texts) {
  const lines = result.layers.flatMap((layer) => {
    const count = layer.kind === "cards" ? layer.cards.length : (layer.classes ?? []).reduce((sum, each) => sum + each.count, 0);
    return layer.kind === "cards" || layer.kind === "shapes" ? [texts.say(`plain-count-${layer.kind}`, { n: texts.number(count) })] : [];
  });
  const remarks = result.warnings?.length ? [make("p", {}, texts.say("plain-warnings"))] : [];
  return [...lines.map((line) => make("p", {}, line)), looked(result, texts), ...remarks];
}

function looked({ tiles }, texts) {
  if (!tiles.failed) return null;
  return make("p", { class: "warning" }, texts.say("tiles-failed", { failed: texts.number(tiles.failed), planned: texts.number(tiles.planned) }));
}

function warnings({ warnings: said }, texts) {
  if (!said?.length) return null;
  return make("details", { open: true }, make("summary", {}, texts.say("warnings")), make("ul", {}, said.map((each) => make("li", { lang: "en" }, each))));
}

/** A tree of names and values. */
function branch(tree, names, texts) {
  const entries = Object.entries(tree ?? {}).filter(([, value]) => value !== null && !Array.isArray(value));
  const rows = entries.map(([name, value]) => {
    const inner = typeof value === "object" ? branch(value, names, texts) : value;
    if (typeof inner === "object" && !inner.children.length) return null;
    return make("div", {}, make("dt", {}, names.measure(name)), make("dd", {}, typeof inner === "object" ? inner : shown(inner, names, texts)));
  });
  return make("dl", { class: "tree" }, rows);
}

function shown(value, names, texts) {
  return typeof value === "number" ? texts.number(value, 4) : names.measure(value);
}

/** Network, version and date of each analysis. */
export function aboutParts(description, names, texts) {
  return description.results.map((result, r) => {
    const date = result.finished ? texts.date(result.finished) : texts.say("date-unknown");
    const line = texts.say("about-result", { name: names.result(result, r), network: result.network ?? "–", version: result.version ?? "–", date });
    return make("p", {}, line);
  });
}

/** What could not be shown, and what the reader should know of the rest. */
export function remarks(description, names, texts) {
  const problems = (description.problems ?? []).map((each) => problem(each, names, texts));
  const notes = (description.notes ?? []).map((each) => note(each, texts));
  return [...problems, ...notes].map((words) => make("p", { class: "warning" }, words));
}

function problem({ pipeline, code, detail }, names, texts) {
  const known = `problem-${code}`;
  const values = { pipeline: pipeline ?? "–", detail: detail ?? "" };
  if (names.plain) return texts.say("plain-problem");
  return texts.say(texts.has(known) ? known : "problem-other", values);
}

/** A note is a code, or a code with what its text wants. */
function note(said, texts) {
  const { code, ...values } = typeof said === "string" ? { code: said } : said;
  return texts.say(`note-${code}`, values);
}

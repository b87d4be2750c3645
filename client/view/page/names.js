/** Kinds of layers that have a title for readers; that of others is a file's. */
const TITLED = ["grid", "arrows"];

/** What results, layers and classes are called: for a doctor as the network says, for a patient in plain words.

A patient reads nothing that a network's author wrote: a name that the texts do not know could be a diagnosis.
*/
export class Names {
  constructor(texts, audience) {
    this.texts = texts;
    this.plain = audience === "patient";
  }

  /** Of one pipeline's result; `place` counts the results from 0. */
  result(result, place) {
    const names = this.texts.words[this.plain ? "plain-pipelines" : "pipelines"];
    if (result.pipeline in names) return names[result.pipeline];
    return this.plain ? this.texts.say("plain-result", { n: place + 1 }) : result.pipeline;
  }

  layer(layer) {
    const kind = this.texts.say(`layer-${layer.kind}`);
    return !this.plain && TITLED.includes(layer.kind) ? this.measure(layer.title) : kind;
  }

  /** Of one of a layer's classes; `place` is its number there. */
  class(name, place) {
    const names = this.texts.words[this.plain ? "plain-classes" : "classes"];
    if (name in names) return names[name];
    return this.plain ? this.texts.say("plain-class", { n: place + 1 }) : this.clean(name);
  }

  /** Of what lies at a place: a class, or a name of its own such as "type 3". */
  found(name, layer) {
    if (layer.kind === "not-seen") return this.layer(layer);
    const place = (layer.classes ?? []).findIndex((each) => each.name === name);
    if (place >= 0) return this.class(name, place);
    return this.plain ? this.texts.say(`plain-found-${layer.kind}`) : this.clean(name);
  }

  /** Of a measurement or a branch of the result. */
  measure(name) {
    const { measures, classes } = this.texts.words;
    return measures[name] ?? classes[name] ?? this.clean(name);
  }

  clean(name) {
    return String(name).replaceAll("_", " ").replaceAll("^2", "²").replaceAll("^3", "³");
  }
}

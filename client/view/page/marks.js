const SVG = "http://www.w3.org/2000/svg";

/** Outlines drawn above everything: where the reader is, and what was clicked; each replaces the one before. */
export class Marks {
  constructor(viewer) {
    this.viewer = viewer;
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("class", "marks");
    this.svg.setAttribute("aria-hidden", "true");
    viewer.canvas.append(this.svg);
    this.shown = new Map();
    for (const event of ["update-viewport", "resize", "rotate"]) viewer.addHandler(event, () => this.draw());
  }

  /** `kind`: "frame" or "clicked"; outlines are lists of level-0 points. */
  set(kind, l0_outlines) {
    this.shown.set(kind, l0_outlines);
    this.draw();
  }

  /** Each outline in px of the picture's element. */
  outlines() {
    const image = this.viewer.world.getItemAt(0);
    const place = ([x, y]) => image.imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y));
    return [...this.shown].flatMap(([kind, outlines]) => outlines.map((outline) => ({ kind, points: outline.map(place) })));
  }

  draw() {
    const lines = this.outlines().flatMap(({ kind, points }) => {
      const text = points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
      // Dark below light: seen on any tissue.
      return ["under", "over"].map((part) => polygon(text, `${kind} ${part}`));
    });
    this.svg.replaceChildren(...lines);
  }
}

function polygon(points, names) {
  const made = document.createElementNS(SVG, "polygon");
  made.setAttribute("points", points);
  made.setAttribute("class", names);
  return made;
}

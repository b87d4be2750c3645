const PAN = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP_PX = 80;
const ZOOM = 1.5;
const STORED = "histoserve-keys-off";

/** Whether single letters do something; a reader who speaks to the computer may want them off. */
export function keysAreOn() {
  try {
    return localStorage.getItem(STORED) === null;
  } catch {
    return true;
  }
}

export function switchKeys(on) {
  try {
    if (on) localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, "1");
  } catch {
    // Without storage they stay on.
  }
}

/** What the arrows, + and − do when the picture has the focus; takes OpenSeadragon's own keys away. */
export function pictureKeys(viewer, still, here) {
  viewer.addHandler("canvas-key", (event) => {
    event.preventDefaultAction = true;
    const { key, ctrlKey, metaKey, altKey } = event.originalEvent;
    if (ctrlKey || metaKey || altKey) return;
    const { viewport } = viewer;
    if (key in PAN) {
      const [x, y] = PAN[key].map((each) => each * STEP_PX);
      viewport.panBy(viewport.deltaPointsFromPixels(new OpenSeadragon.Point(x, y), false), still());
    } else if (key === "+" || key === "=") viewport.zoomBy(ZOOM, null, still());
    else if (key === "-" || key === "_") viewport.zoomBy(1 / ZOOM, null, still());
    else if (key === "Home") viewport.goHome(still());
    else if (key === "[" || key === "]") viewport.setRotation(viewport.getRotation(false) + (key === "[" ? -90 : 90), still());
    else if (key === "Enter") here();
    else return;
    viewport.applyConstraints(still());
    event.originalEvent.preventDefault();
  });
}

/** What single keys do anywhere on the page but where text is typed; `commands` by key. */
export function pageKeys(commands) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input:not([type=checkbox], [type=range]), select, textarea, dialog[open]")) return;
    const command = commands[event.key];
    if (!command || (event.key !== "?" && !keysAreOn())) return;
    event.preventDefault();
    command();
  });
}

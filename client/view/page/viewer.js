import { useWholePixels } from "./whole_pixels.js";

/** The picture: OpenSeadragon, told about places in level-0 px. */

useWholePixels();

/** Whether the system asks for no motion. */
export function isStill() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** OpenSeadragon writes a style sheet into the page, which its policy forbids, unless it finds one with this mark. */
function refuseStyleSheet() {
  // Of no namespace, it is no style sheet: the policy would report an empty one too.
  const sheet = document.createElementNS(null, "style");
  sheet.setAttribute("data-openseadragon-mobile-css", "true");
  document.head.append(sheet);
}

/** Opens the slide's tiles in `element`, with a small map of the whole slide or without. */
export function openViewer(element, tileSource, withMap) {
  refuseStyleSheet();
  const viewer = OpenSeadragon({
    element,
    // Half-transparent layers are blended wrongly by the WebGL drawer.
    drawer: "canvas",
    showNavigationControl: false,
    showNavigator: withMap,
    navigatorPosition: "TOP_RIGHT",
    navigatorSizeRatio: 0.17,
    navigatorAutoFade: false,
    navigatorBackground: "transparent",
    navigatorOpacity: 1,
    navigatorBorderColor: "#5b6673",
    navigatorDisplayRegionColor: "#c2185b",
    animationTime: isStill() ? 0 : 0.5,
    blendTime: 0,
    minZoomImageRatio: 0.5,
    maxZoomPixelRatio: 16,
    visibilityRatio: 0.2,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    gestureSettingsTouch: { pinchRotate: false },
    timeout: 120000,
    tileRetryMax: 2,
    tileRetryDelay: 1000,
    preserveImageSizeOnResize: true,
  });
  return new Promise((resolve) => {
    viewer.addOnceHandler("open", () => {
      if (withMap) keepMap(viewer);
      resolve(viewer);
    });
    viewer.open([{ tileSource }]);
  });
}

/** The small map follows by hand: a viewer that knows its map hands each layer on to it, and asks for all tiles twice. */
function keepMap(viewer) {
  const { navigator: map } = viewer;
  map.element.setAttribute("aria-hidden", "true");
  viewer.navigator = null;
  viewer.addHandler("update-viewport", () => map.update(viewer.viewport));
}

/** Adds a layer, at the top or before the image that is `index`-th; `preload`: its tiles are loaded while unseen. */
export function addLayer(viewer, tileSource, { opacity, preload, index }) {
  return new Promise((success, error) => {
    viewer.addTiledImage({ tileSource, opacity, preload, index, success: ({ item }) => success(item), error });
  });
}

/** Centre (level-0 px), level-0 px per page px, and turn in degrees of what is seen, at the end of any motion. */
export function viewOf(viewer) {
  const image = viewer.world.getItemAt(0);
  const { x, y } = image.viewportToImageCoordinates(viewer.viewport.getCenter(false));
  const across = image.viewportToImageCoordinates(viewer.viewport.getBoundsNoRotate(false).getSize());
  return { x, y, scale: across.x / viewer.viewport.getContainerSize().x, turn: turned(viewer.viewport.getRotation(false)) };
}

/** Moves to what `viewOf` gave. */
export function show(viewer, { x, y, scale, turn }, immediately = isStill()) {
  const image = viewer.world.getItemAt(0);
  const { viewport } = viewer;
  const wide = image.imageToViewportRectangle(0, 0, scale * viewport.getContainerSize().x, 1).width;
  viewport.setRotation(turn, immediately);
  viewport.zoomTo(1 / wide, null, immediately);
  viewport.panTo(image.imageToViewportCoordinates(new OpenSeadragon.Point(x, y)), immediately);
}

/** Level-0 px per page px as it is drawn at this moment. */
export function scaleNow(viewer) {
  const image = viewer.world.getItemAt(0);
  const across = image.viewportToImageCoordinates(viewer.viewport.getBoundsNoRotate(true).getSize());
  return across.x / viewer.viewport.getContainerSize().x;
}

/** Centres a region (x, y, width, height) and leaves room around it. */
export function frame(viewer, [x, y, width, height]) {
  const room = viewer.viewport.getContainerSize();
  const scale = Math.max(width / room.x, height / room.y) * 2;
  show(viewer, { x: x + width / 2, y: y + height / 2, scale: Math.max(scale, 1 / 8), turn: viewOf(viewer).turn });
}

function turned(degrees) {
  // Hundredths: two slides are seldom registered by whole degrees.
  return (((Math.round(degrees * 100) / 100) % 360) + 360) % 360;
}

import { isStill, show, viewOf } from "./viewer.js";

/** What the second slide shows when the first shows `view`; `matrix` (2×3) takes level-0 px of the first to the second's. */
export function across(matrix, view) {
  const [[a, b, c], [d, e, f]] = matrix;
  const scale = Math.sqrt(Math.abs(a * e - b * d));
  const degrees = (Math.atan2(d, a) * 180) / Math.PI;
  const { x, y } = view;
  return { x: a * x + b * y + c, y: d * x + e * y + f, scale: view.scale * scale, turn: view.turn - degrees };
}

/** The matrix that leads back. */
export function inverse([[a, b, c], [d, e, f]]) {
  const area = a * e - b * d;
  return [[e / area, -b / area, (b * f - c * e) / area], [-d / area, a / area, (c * d - a * f) / area]];
}

/** Whichever view is moved moves the other while `isOn()`; returns what makes the second follow the first at once. */
export function link([first, second], matrix, isOn) {
  let leads = true;
  const to = (from, other, by) => (event) => {
    if (!leads || !isOn()) return;
    // The other's own move must not come back.
    leads = false;
    show(other, across(by, viewOf(from)), event.immediately ?? isStill());
    leads = true;
  };
  const forward = to(first, second, matrix);
  const back = to(second, first, inverse(matrix));
  for (const event of ["pan", "zoom", "rotate"]) {
    first.addHandler(event, forward);
    second.addHandler(event, back);
  }
  const follow = () => forward({ immediately: true });
  follow();
  return follow;
}

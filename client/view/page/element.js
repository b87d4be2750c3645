/** Makes an element; a function among the attributes listens to the event of its name, `false` leaves one out. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

let made = 0;

/** A name that no other element of the page has. */
export function anId() {
  made += 1;
  return `made-${made}`;
}

/** CSS colour of red, green, blue in 0-255. */
export function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}

/** A patch of a colour, for a legend; the words beside it say what it means. */
export function swatch(colour, kind = "fill") {
  const patch = make("span", { class: "swatch", "data-kind": kind, "aria-hidden": "true" });
  if (colour) patch.style.setProperty("--colour", css(colour));
  return patch;
}

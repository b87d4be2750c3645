/** Says to a screen reader what has changed: one polite line, which also stands on the page for all others. */
export function liveLine(element) {
  let waiting = 0;
  return (words) => {
    clearTimeout(waiting);
    // The same words twice are only read out again when the line was empty between.
    element.textContent = "";
    waiting = setTimeout(() => (element.textContent = words), 50);
  };
}

const WIDEST_PX = 160;

/** The longest of 1, 2, 5, 10, … µm that fits → its µm and page px; `scale` is level-0 px per page px. */
export function barOf(mpp, scale, widest = WIDEST_PX) {
  const um = mpp * scale * widest;
  const power = 10 ** Math.floor(Math.log10(um));
  const length = [5, 2, 1].find((each) => each * power <= um * (1 + 1e-9)) * power;
  return { um: length, px: length / (mpp * scale) };
}

/** Whole millimetres from 1 mm on, else µm. */
export function lengthWords(um, texts) {
  return um >= 1000 ? texts.say("length-mm", { n: texts.number(um / 1000) }) : texts.say("length-um", { n: texts.number(um) });
}

/** Keeps the bar as long as it says; without µm/px there is none, and the reason. */
export function keepScaleBar(element, mpp, texts) {
  const [line, words] = element.children;
  if (!mpp) {
    line.hidden = true;
    words.textContent = texts.say("scale-unknown");
    return () => {};
  }
  return (scale) => {
    const { um, px } = barOf(mpp, scale);
    line.style.width = `${px}px`;
    words.textContent = lengthWords(um, texts);
  };
}

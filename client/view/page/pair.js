/** Both pictures move together, and a cross shows in each where the pointer is in the other; returns what makes them large. */
export function lookCloser(main, button) {
  const boxes = [...main.querySelectorAll(".box")];
  const sheets = boxes.map((box) => box.querySelector(".sheet"));
  boxes.forEach((box, place) => {
    const other = boxes[1 - place];
    box.addEventListener("scroll", () => {
      // The other's answer finds both in place, and ends it.
      if (other.scrollLeft !== box.scrollLeft) other.scrollLeft = box.scrollLeft;
      if (other.scrollTop !== box.scrollTop) other.scrollTop = box.scrollTop;
    });
    const sheet = sheets[place];
    sheet.addEventListener("pointermove", (event) => {
      const { left, top, width, height } = sheet.getBoundingClientRect();
      const cross = sheets[1 - place].querySelector(".cross");
      cross.style.left = `${(100 * (event.clientX - left)) / width}%`;
      cross.style.top = `${(100 * (event.clientY - top)) / height}%`;
      sheets[1 - place].classList.add("pointed");
    });
    sheet.addEventListener("pointerleave", () => sheets[1 - place].classList.remove("pointed"));
  });
  return () => {
    const large = main.classList.toggle("large");
    button.setAttribute("aria-pressed", String(large));
    for (const box of boxes) box.scrollTo((box.scrollWidth - box.clientWidth) / 2, (box.scrollHeight - box.clientHeight) / 2);
  };
}

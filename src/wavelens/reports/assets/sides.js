// Words: pointing at one, or choosing it, shows where in the input it is answered.

/** The picture, or the course over time, that follows the word under the pointer. */
async function showSides(place, data) {
  const { maps, shape, end } = data.sides, answered = place.querySelector(".answered");
  if (!answered || !maps.length) return answered?.remove();
  await Promise.all(maps.map(inflate));
  const state = stateOf({ word: -1, chosen: -1 });
  const values = (k) => (maps[k].values ??= numbers(maps[k]));
  const draw = shape.length === 2 && data.looks ? await overPicture(data, shape, end) : overTime(shape, end);
  const caption = make("figcaption"), words = [...place.querySelectorAll("button.term")];
  answered.prepend(make("figure", { class: "answer-map" }, make("div", { class: "stage" }, draw.canvas), caption));
  for (const one of place.querySelectorAll("[data-term]")) {
    const k = Number(one.dataset.term);
    one.addEventListener("pointerenter", () => state.set({ word: k }));
    one.addEventListener("pointerleave", () => state.set({ word: -1 }));
    one.addEventListener("focus", () => state.set({ word: k }));
    one.addEventListener("blur", () => state.set({ word: -1 }));
    one.addEventListener("click", () => state.set({ chosen: state.chosen === k ? -1 : k }));
  }
  state.listen(({ word, chosen }) => {
    const k = word >= 0 ? word : chosen;
    draw(values(k + 1));
    const text = k >= 0 ? `where “${words[k].firstChild.textContent}” is answered` : "where all words are answered";
    caption.textContent = text;
    draw.canvas.setAttribute("aria-label", text);
    words.forEach((one, j) => one.setAttribute("aria-pressed", String(j === chosen)));
    for (const row of place.querySelectorAll("tr[data-term]")) row.classList.toggle("chosen", Number(row.dataset.term) === k);
  });
}

/** Draws signed values `(rows, columns)` over the darkened input. */
async function overPicture(data, [rows, columns], end) {
  const base = await picture(data.looks[0].input), grey = darkened(base), [width, height] = data.size;
  const factor = Math.max(1, Math.ceil(640 / Math.max(width, height)));
  const target = canvas(width * factor, height * factor, "where words are answered");
  const draw = (values) => paint(target, base, grey, heat(columns, rows, (k) => values[k], { cut: 0, end, signed: true }), 0.9);
  return Object.assign(draw, { canvas: target });
}

/** Draws signed values as bars over time, those against striped below the line. */
function overTime([count], end) {
  const target = canvas(720, 180, "when words are answered");
  const draw = (values) => {
    const pen = target.getContext("2d"), step = 720 / count;
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, 720, 180);
    for (let k = 0; k < count; k++) {
      const part = Math.sign(values[k]) * Math.min(1, Math.sqrt(Math.abs(values[k]) / end));
      pen.fillStyle = `rgb(${(part > 0 ? FOR : AGAINST).join(" ")})`;
      pen.fillRect(k * step, part > 0 ? 90 - 88 * part : 90, Math.max(step, 1), 88 * Math.abs(part));
    }
  };
  return Object.assign(draw, { canvas: target });
}

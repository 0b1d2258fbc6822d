// Photos, and any signal with two axes.

async function showPhoto(data, state, place, more) {
  const maps = new Maps(data.maps, data.end), base = await picture(data.input);
  const grey = darkened(base), [rows, columns] = maps.shape, [width, height] = data.size;
  const factor = Math.max(1, Math.ceil(960 / Math.max(width, height)));
  const main = canvas(width * factor, height * factor, "the input with the map over it");

  const draw = (target, scale) => {
    const layer = maps.layer({ ...state, scale });
    paint(target, base, grey, heat(columns, rows, (k) => layer.values[k], layer), state.opacity / 100);
  };
  const stage = make("div", { class: height > 1.15 * width ? "stage tall" : "stage" }, main);
  const viewer = card("Where it lies", stage, controls(state, maps));
  if (maps.packed.signed.length) viewer.append(toggle(state, "signed", "For and against: orange speaks for it, striped blue against"));
  viewer.append(legend(state, data.end, data.unit));
  state.listen(() => {
    draw(main, state.scale);
    main.setAttribute("aria-label", `the input with the map of ${scaleText(maps.scales[state.scale])} over it`);
  });
  place.append(viewer);
  if (maps.scales.length > 1) {
    const small = 160 / Math.max(width, height);
    const strip = tiles(state, maps, draw, Math.max(1, Math.round(width * small)), Math.max(1, Math.round(height * small)));
    more.append(card("Each scale by itself", strip, hint("One colour scale for all: what is brighter matters more.")));
  }
  if (maps.scales.length > 1 && data.mosaic) {
    const tall = make("div", { class: "mosaic" }, mosaic(state, maps, data.mosaic));
    more.append(beside("left", card("Mosaic", tall, hint(
      "Every coefficient at its place: coarse in the upper left corner, each finer scale around it. " +
      "Horizontal edges lie in the lower left tile of a scale, vertical ones in the upper right, diagonals between."
    ))));
  }
  if (data.rebuilt.length) more.append(beside("right", card("What matters most, alone", rebuilt(data))));
}

/** The input, and what its strongest coefficients leave of it. */
function rebuilt(data) {
  const tiles = [{ part: 1, input: data.input }, ...[...data.rebuilt].reverse()].map(({ part, input }) => make(
    "figure", { class: "tile" },
    make("img", { src: input, alt: part === 1 ? "the input" : `rebuilt from ${100 * part} % of its coefficients` }),
    make("b", {}, part === 1 ? "the input" : `strongest ${100 * part}\u202f%`),
  ));
  return make("div", {}, make("div", { class: "strip" }, ...tiles),
    hint("Rebuilt from the coefficients that matter most, the rest set to zero."));
}

VIEWS.photo = showPhoto;

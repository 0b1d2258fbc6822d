// The mosaic: all coefficients in one picture, tile by tile.

/** The pyramid with its bands named; the chosen scale stands out, and pressing a tile chooses its scale. */
function mosaic(state, maps, packed) {
  const [rows, columns] = packed.shape, [tall, wide] = packed.whole;
  const side = Math.max(1, Math.ceil(720 / Math.max(rows, columns)));
  const target = canvas(columns * side, rows * side, "mosaic of the wavelet coefficients");
  const values = numbers(packed);
  const picture = (step) => maps.remember(`mosaic ${step}`, () =>
    heat(columns, rows, (k) => values[k], { cut: 0, end: maps.end / gain(step), signed: false })[0]);
  const across = target.width / wide, down = target.height / tall;
  state.listen(() => {
    const pen = target.getContext("2d"), chosen = maps.scales[state.scale].name;
    pen.imageSmoothingEnabled = false;
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, target.width, target.height);
    pen.drawImage(picture(state.brightness), 0, 0, target.width, target.height);
    for (const { name, scale, box: [x, y, w, h] } of packed.bands) {
      const place = [x * across, y * down, w * across, h * down];
      const dimmed = state.scale && scale !== chosen;
      if (dimmed) {
        pen.fillStyle = "rgba(20, 18, 24, .68)";
        pen.fillRect(...place);
      }
      pen.strokeStyle = dimmed ? "rgba(255,255,255,.25)" : "rgba(255,255,255,.75)";
      pen.lineWidth = 1.5;
      pen.strokeRect(...place);
      if (Math.min(place[2], 2 * place[3]) > 62) {
        pen.fillStyle = dimmed ? "rgba(255,255,255,.5)" : "#fff";
        pen.font = "600 20px system-ui, sans-serif";
        pen.strokeStyle = "rgba(0, 0, 0, .6)"; // an edge, for bright bands
        pen.lineWidth = 4;
        pen.strokeText(name, place[0] + 8, place[1] + 24);
        pen.fillText(name, place[0] + 8, place[1] + 24);
      }
    }
  });
  target.addEventListener("click", (event) => {
    const x = (event.offsetX / target.clientWidth) * wide, y = (event.offsetY / target.clientHeight) * tall;
    const hit = packed.bands.find(({ box }) => x >= box[0] && y >= box[1] && x < box[0] + box[2] && y < box[1] + box[3]);
    const k = hit ? maps.scales.findIndex(({ name }) => name === hit.scale) : 0;
    state.set({ scale: k === state.scale ? 0 : Math.max(k, 0) });
  });
  return target;
}

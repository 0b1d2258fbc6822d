// The rose: how much of |γ| lies in lines of each direction, one colour per scale, coarse ones inside.

const MOST_EDGES = 8; // scales whose ends are drawn
const TURNS = [[0, "0°"], [45, "45°"], [90, "90°"], [135, "−45°"]];

/** Sectors point along their lines, both ways, and their areas are shares; the chosen scale stands out. */
function rose(state, maps, { names, shades, share }) {
  const side = 560, middle = side / 2, reach = middle - 44, count = share[0].length, step = Math.PI / count;
  const target = canvas(side, side, "how much lies in lines of each direction");
  const sums = share[0].map((_, k) => share.reduce((ends, row) => [...ends, ends[ends.length - 1] + row[k]], [0]));
  const largest = Math.max(...sums.map((ends) => ends[ends.length - 1])) || 1;
  const radius = (sum) => reach * Math.sqrt(sum / largest);
  const draw = () => {
    const pen = target.getContext("2d"), chosen = maps.scales[state.scale].name, ink = getComputedStyle(target).color;
    if (!ink) return; // not in the page yet
    pen.clearRect(0, 0, side, side);
    pen.lineWidth = 1.5;
    names.forEach((name, row) => {
      pen.fillStyle = shades[row];
      pen.strokeStyle = ink; // dark scales end visibly on dark paper
      pen.globalAlpha = names.includes(chosen) && chosen !== name ? 0.2 : 1;
      sums.forEach((ends, k) => {
        for (const turn of [0, Math.PI]) {
          const end = turn - (step * (k + 1) - Math.PI / 2) + step / 2, start = end - 1.02 * step; // clockwise, no seams
          pen.beginPath();
          pen.arc(middle, middle, radius(ends[row + 1]), start, end);
          pen.arc(middle, middle, radius(ends[row]), end, start, true);
          pen.fill();
          if (names.length > MOST_EDGES) continue;
          pen.beginPath();
          pen.arc(middle, middle, radius(ends[row + 1]), start, end);
          pen.stroke();
        }
      });
    });
    pen.globalAlpha = 1;
    pen.fillStyle = pen.strokeStyle = ink;
    pen.font = "22px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.beginPath();
    pen.arc(middle, middle, reach, 0, 2 * Math.PI);
    pen.stroke();
    for (const [degrees, text] of TURNS) {
      const turn = (-degrees * Math.PI) / 180;
      pen.fillText(text, middle + (reach + 26) * Math.cos(turn), middle + (reach + 20) * Math.sin(turn));
    }
  };
  state.listen(draw);
  new ResizeObserver(draw).observe(target);
  DARK.addEventListener("change", draw);
  for (const event of ["beforeprint", "afterprint"]) addEventListener(event, draw);
  const key = names.map((name, row) => make("span", {}, make("i", { style: `background:${shades[row]}` }), name));
  return make("div", { class: "rose" }, target, make("div", { class: "key" }, ...key));
}

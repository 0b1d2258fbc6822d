// Sums by channel and scale, as a table whose cells add up to the account.

/** Sums by channel and scale: the name of a scale chooses it, the colour says for (orange) or against (blue). */
function sumTable(data, state, scales) {
  const largest = Math.max(...data.sums.flat().map(Math.abs)) || 1;
  const shade = (value) => `background: color-mix(in srgb, var(--${value < 0 ? "against" : "for"}) ${Math.round(55 * Math.sqrt(Math.abs(value) / largest))}%, transparent)`;
  const total = (values) => values.reduce((sum, value) => sum + value, 0);
  const cell = (value) => make("td", { class: "number", style: shade(value) }, signedText(value));
  const heads = scales.map((scale) => {
    const k = data.maps.scales.findIndex(({ name }) => name === scale.name);
    const button = make("button", { type: "button", onclick: () => state.set({ scale: state.scale === k ? 0 : k }) }, scale.label || scale.name);
    state.listen(() => button.setAttribute("aria-pressed", state.scale === k));
    return make("th", { scope: "col" }, button);
  });
  const rows = data.sums.map((row, k) => make("tr", {}, make("th", { scope: "row" }, data.channels[k]), ...row.map(cell), make("td", { class: "number" }, signedText(total(row)))));
  const sums = scales.map((_, k) => make("td", { class: "number" }, signedText(total(data.sums.map((row) => row[k])))));
  const all = make("td", { class: "number" }, signedText(total(data.sums.flat())));
  const table = make("table", { class: "sums" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, data.noun), ...heads, make("th", { scope: "col" }, "total"))),
    make("tbody", {}, ...rows), make("tfoot", {}, make("tr", {}, make("th", { scope: "row" }, "total"), ...sums, all)));
  const hidden = data.total > data.channels.length ? ` Shown are the ${data.channels.length} of ${data.total} ${data.noun}s with the largest Σ|γ|, and their totals.` : "";
  return card(`${data.shares ? "Share of Σ|γ|" : "Signed sum"} by ${data.noun} and scale`, make("div", { class: "scroll", tabindex: "0" }, table),
    hint(`Orange supports the target, blue against it. Cells add up to the totals.${hidden}`));
}

function signedText(value) {
  return value ? `${value > 0 ? "+" : ""}${short(value)}` : "0";
}

// Texts: the words in the colours of what they add, for all scales together or for one, and the largest in a table.

/** What is shown of each word: along the path, of one scale, or its Shapley value. */
function wordValues(data, { scale, shapley }) {
  return shapley && !scale && data.shapley ? data.shapley : data.values[scale];
}

function wordNumber(value) {
  return value ? `${value > 0 ? "+" : ""}${short(value)}` : "0";
}

/** The words of a text, each an element of its own, with the text between them. */
function wordsOf(data) {
  const words = data.words.map((text) => make("span", { class: "word" }, text));
  const pieces = words.flatMap((word, k) => [data.before[k], word]);
  return { words, element: make("div", { class: "words", dir: "auto" }, ...pieces, data.after) };
}

function colourWords(words, data, state) {
  const values = wordValues(data, state), most = Math.max(...values.map(Math.abs)) || 1;
  words.forEach((word, k) => {
    const part = Math.min(1, Math.sqrt((Math.abs(values[k]) / most) * gain(state.brightness)));
    word.style.setProperty("--part", `${Math.round(100 * part)}%`);
    word.classList.toggle("against", data.signed && values[k] < 0);
    word.title = `${data.words[k]}: ${wordNumber(values[k])}`;
  });
  return most;
}

/** The words with the largest sums, and their Shapley values beside them. */
function wordTable(data) {
  const both = data.shapley !== null, values = data.values[0];
  const most = Math.max(...data.table.map((k) => Math.max(Math.abs(values[k]), both ? Math.abs(data.shapley[k]) : 0))) || 1;
  const cell = (value, error) => make("td", { class: "measure" },
    make("span", { class: `bar ${value < 0 ? "against" : "for"}`, style: `--part:${((100 * Math.abs(value)) / most).toFixed(1)}%` }),
    make("span", {}, wordNumber(value), error ? ` ± ${short(error)}` : null));
  const rows = data.table.map((k) => make("tr", {}, make("th", { scope: "row" }, make("bdi", {}, data.words[k])),
    cell(values[k]), both ? cell(data.shapley[k], data.errors?.[k]) : null));
  const heads = ["word", data.signed ? "signed sum" : "Σ|γ|", ...(both ? ["Shapley value"] : [])];
  const few = data.table.length < data.words.length ? `Shown are the ${data.table.length} of ${data.words.length} words with the largest sums. ` : "";
  return card("Word by word", make("div", { class: "scroll high", tabindex: "0" }, make("table", { class: "profile" },
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), make("tbody", {}, ...rows))),
    hint(`${few}All words together add up to the account. ${both ? "A Shapley value is what a word adds, averaged over all orders in which the words may come in." : data.reason}`));
}

function showText(data, state, place) {
  if (!data.words.length) return place.append(card("The text", hint("This model's preparation knows no words.")));
  Object.assign(state, { shapley: false });
  const { words, element } = wordsOf(data), told = make("p", { class: "hint" });
  const found = make("div", { class: "controls" });
  if (data.maps.scales.length > 1) {
    found.append(slider(state, "scale", "Scale", { max: data.maps.scales.length - 1, say: (k) => data.maps.scales[k].name }));
  }
  found.append(slider(state, "brightness", "Brightness", { max: 10, say: (v) => (v ? `× ${short(gain(v))}` : "× 1") }));
  const by = data.shapley ? toggle(state, "shapley", "Colours by Shapley value") : null;
  const opening = make("p", { class: "reading" }, data.sentence);
  place.append(card("The text", opening, element, found, by, told), wordTable(data));
  state.listen(() => {
    const most = colourWords(words, data, state), scale = state.scale ? data.maps.scales[state.scale].name : "";
    const spread = scale ? ` Shown is the scale “${scale}”: each of its coefficients lies evenly over the words that it is of.` : "";
    const sides = data.signed ? "Orange supports the target, blue and underlined opposes it" : "The darker, the more the score responds";
    told.textContent = `${sides}; the strongest colour is ${short(most)}.${spread}`;
  });
}

VIEWS.text = showText;

"use strict";

const UNIT = 10000;
const SIDE = 7;

for (const card of document.querySelectorAll("article")) start(card);

/** Make a card's words show their weights in the card's figures. */
function start(card) {
  const numbers = JSON.parse(card.querySelector("script.numbers").textContent);
  const figures = [...card.querySelectorAll("figure.weights")].map((figure, i) => painter(figure, numbers[i]));
  const places = new Map();
  for (const element of card.querySelectorAll("[data-word]")) {
    const word = Number(element.dataset.word);
    places.set(word, [...(places.get(word) ?? []), element]);
  }
  const pointed = card.querySelector(".pointed");
  let hovered = null;
  let focused = null;
  let shown = null;

  function show() {
    const word = hovered ?? focused;
    if (word === shown && pointed.textContent) return;
    for (const element of places.get(shown) ?? []) element.classList.remove("on");
    for (const element of places.get(word) ?? []) element.classList.add("on");
    pointed.textContent = word === null ? idle(card, figures) : told(places.get(word));
    for (const paint of figures) paint(word);
    shown = word;
  }

  card.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "mouse") return;
    hovered = wordAt(event.target);
    show();
  });
  card.addEventListener("pointerleave", () => {
    hovered = null;
    show();
  });
  card.addEventListener("focusin", (event) => {
    focused = wordAt(event.target);
    show();
  });
  card.addEventListener("focusout", () => {
    focused = null;
    show();
  });
  card.addEventListener("click", (event) => {
    const word = wordAt(event.target);
    if (word !== null) focusOn(places.get(word)[0]);
  });
  card.querySelector(".text").addEventListener("keydown", (event) => {
    const next = destination(event, wordAt(event.target), card);
    if (next === null) return;
    event.preventDefault();
    if (next === undefined) event.target.blur();
    else if (places.has(next)) focusOn(places.get(next)[0]);
  });
  show();
}

function wordAt(element) {
  const word = element.closest?.("[data-word]");
  return word ? Number(word.dataset.word) : null;
}

/** One word of a text is reached with Tab, the others from there. */
function focusOn(element) {
  for (const other of element.closest(".text").querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
  element.tabIndex = 0;
  element.focus();
}

/** The word that a key leads to; undefined to leave, null for a key that is none of ours. */
function destination(event, word, card) {
  const text = card.querySelector(".text");
  const back = getComputedStyle(text).direction === "rtl" ? "ArrowRight" : "ArrowLeft";
  switch (event.key) {
    case "ArrowLeft":
    case "ArrowRight":
      return word + (event.key === back ? -1 : 1);
    case "Home":
      return 0;
    case "End":
      return Math.max(...[...text.querySelectorAll("[data-word]")].map((e) => Number(e.dataset.word)));
    case "Escape":
      return undefined;
    default:
      return null;
  }
}

function told(elements) {
  const inText = elements.filter((element) => element.classList.contains("word"));
  const word = inText.map((element) => element.textContent).join("");
  const { type, confidence } = inText[0].dataset;
  const facts = [`\u2068${word}\u2069`];
  if (type !== undefined) facts.push(`in an entity, ${type}`);
  if (confidence !== undefined) facts.push(`confidence ${confidence}`);
  return facts.join(" · ");
}

function idle(card, figures) {
  if (!figures.length) return "\u00a0";
  return card.querySelector(".entity") ? "mean over the words of the entities" : "mean over all words";
}

/** What draws a figure for a word, or for none of them. */
function painter(figure, { over, rows, mean }) {
  const paint = { tokens, cells, regions, modalities: bars, gates: bars }[over](figure);
  const readout = figure.querySelector(".readout:last-child");
  return (word) => {
    const row = (word === null ? mean : rows[word]) ?? [];
    readout.textContent = paint(row.map((weight) => weight / UNIT));
  };
}

/** Weights on a scale from 0 to 1: the strongest, or three even shares where that is more, is 1. */
function scaled(weights) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const top = Math.max(...weights, (3 * total) / weights.length, 1e-9);
  return weights.map((weight) => weight / top);
}

function percent(weight) {
  return `${(100 * weight).toFixed(weight < 0.0995 ? 1 : 0)} %`;
}

function strongest(weights, count) {
  const order = weights.map((_, index) => index).sort((a, b) => weights[b] - weights[a]);
  return order.slice(0, count).filter((index) => weights[index] > 0);
}

// -- over the words ---------------------------------------------------------------------------

function tokens(figure) {
  const words = [...figure.querySelectorAll(".read")];
  return (weights) => {
    const shades = scaled(weights);
    words.forEach((element, index) => {
      const on = element.classList.contains("on") ? " on" : "";
      element.className = `read h-${Math.round(10 * (shades[index] ?? 0))}${on}`;
    });
    const most = strongest(weights, 3).map((i) => `\u2068${words[i].textContent}\u2069 ${percent(weights[i])}`);
    return most.length ? `most: ${most.join(", ")}` : "";
  };
}

// -- over the picture -------------------------------------------------------------------------

function cells(figure) {
  const canvas = figure.querySelector("canvas");
  return (weights) => {
    if (!weights.length) return "";
    drawHeat(canvas, scaled(weights));
    const [top] = strongest(weights, 1);
    if (top === undefined) return "nothing of the picture";
    const where = `row ${Math.floor(top / SIDE) + 1}, column ${(top % SIDE) + 1}`;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return `strongest cell ${percent(weights[top])} (${where}), an even share is ${percent(total / weights.length)}`;
  };
}

/** A veil over what is hardly looked at, a glow over what is, smooth between the cells' centres. */
function drawHeat(canvas, shades) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const image = context.createImageData(width, height);
  for (let y = 0; y < height; y++) {
    const down = taps((y + 0.5) / height);
    for (let x = 0; x < width; x++) {
      const shade = smooth(shades, taps((x + 0.5) / width), down);
      const veil = 0.62 * (1 - shade) ** 1.3;
      const glow = 0.5 * shade ** 1.6;
      const alpha = glow + veil * (1 - glow);
      const mix = (warm, dark) => (warm * glow + dark * veil * (1 - glow)) / (alpha || 1);
      image.data.set([mix(255, 16), mix(126, 18), mix(20, 28), 255 * alpha], 4 * (y * width + x));
    }
  }
  context.putImageData(image, 0, 0);
}

/** Catmull-Rom between the centres of the cells, never outside 0 to 1. */
function smooth(shades, [columns, across], [rows, down]) {
  let sum = 0;
  for (let j = 0; j < 4; j++) {
    for (let i = 0; i < 4; i++) sum += down[j] * across[i] * shades[rows[j] * SIDE + columns[i]];
  }
  return Math.min(1, Math.max(0, sum));
}

/** The four cells around a place from 0 to 1 on one side of the picture, and their shares in it. */
function taps(place) {
  const at = place * SIDE - 0.5;
  const first = Math.floor(at);
  const t = at - first;
  const places = [-1, 0, 1, 2].map((step) => Math.min(SIDE - 1, Math.max(0, first + step)));
  const shares = [
    (-t + 2 * t * t - t ** 3) / 2,
    (2 - 5 * t * t + 3 * t ** 3) / 2,
    (t + 4 * t * t - 3 * t ** 3) / 2,
    (-t * t + t ** 3) / 2,
  ];
  return [places, shares];
}

function regions(figure) {
  const groups = [...figure.querySelectorAll(".region")];
  return (weights) => {
    const shades = scaled(weights);
    const most = strongest(weights, 3);
    groups.forEach((group, index) => {
      group.setAttribute("opacity", (0.1 + 0.9 * (shades[index] ?? 0)).toFixed(2));
      group.querySelector("text").textContent = most.includes(index) ? percent(weights[index]) : "";
    });
    const even = weights.length ? `, an even share is ${percent(1 / weights.length)}` : "";
    return most.length ? `strongest region ${percent(weights[most[0]])}${even}` : "nothing of the picture";
  };
}

// -- modalities and gates ---------------------------------------------------------------------

function bars(figure) {
  const values = [...figure.querySelectorAll(".legend .value")];
  const total = [...figure.querySelectorAll(".total rect")];
  return (weights) => {
    let left = 0;
    weights.forEach((weight, index) => {
      values[index].textContent = weight.toFixed(2);
      total[index]?.setAttribute("x", 100 * left);
      total[index]?.setAttribute("width", 100 * weight);
      left += weight;
    });
    return "";
  };
}

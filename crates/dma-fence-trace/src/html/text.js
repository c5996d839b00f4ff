// Words for numbers and names, and elements with text in them.

const $ = (id) => document.getElementById(id);

// A name as it is, but nothing in it can act: what would break a line, hide or turn text around is shown instead.
function literal(name) {
  return name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) =>
    `⟨U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

// An element; its children are elements or text, never markup.
function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

function duration(ns) {
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  const [unit, per] = ns < 1e6 ? ["µs", 1e3] : ns < 1e9 ? ["ms", 1e6] : ["s", 1e9];
  const value = ns / per;
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
}

const grouped = new Intl.NumberFormat("en").format;

function plural(count, noun) {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

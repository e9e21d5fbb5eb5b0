// A genre's colour as it is drawn, the same in all components.

// On a dark page the darkest colours are lifted by this share of white.
const LIFT = 0.35;

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function luminance(color) {
  const [red, green, blue] = rgb(color).map((part) => (part / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function lifted(color) {
  if (luminance(color) > 0.12) return color;
  return `rgb(${rgb(color).map((part) => Math.round(part + LIFT * (255 - part))).join(" ")})`;
}

// Whether the page is dark, by the colour of its letters. What was just taken off the page has none.
function isDarkAt(element) {
  const ink = (getComputedStyle(element).color.match(/[\d.]+/g) ?? [0, 0, 0]).map(Number);
  return ink[0] + ink[1] + ink[2] > 380;
}

const colorAt = (element, color) => (isDarkAt(element) ? lifted(color) : color);

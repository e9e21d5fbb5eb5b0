// A bar for every genre, from 0 to 1; what is written beside it is its share, unless it brings a value of its own. The list is read as text; names are set as text, never as markup.

function row({ name, share, color, value: words }, isTop, place) {
  const item = document.createElement("li");
  item.classList.toggle("top", isTop);
  const [label, track, value, fill] = ["name", "track", "value", "fill"].map((kind) => {
    const part = document.createElement(kind === "track" || kind === "fill" ? "div" : "span");
    part.className = kind;
    return part;
  });
  label.textContent = label.title = name;
  fill.style.width = `${(100 * share).toFixed(2)}%`;
  fill.style.background = colorAt(place, color);
  value.textContent = words ?? (share > 0.99 ? "> 0.99" : share.toFixed(2));
  track.append(fill);
  item.append(label, track, value);
  return item;
}

export default function ({ data, parentElement }) {
  const { bars, label, title = "", scale = ["0", "0.5", "1"] } = JSON.parse(data.json);
  const box = parentElement.querySelector(".bars");
  const list = parentElement.querySelector(".list");
  const more = parentElement.querySelector(".more");
  parentElement.querySelector(".title").textContent = title;
  parentElement.querySelectorAll(".scale span").forEach((mark, place) => (mark.textContent = scale[place]));
  list.setAttribute("aria-label", label);
  const top = bars.reduce((most, bar) => (bar.share > most.share ? bar : most), bars[0]);
  list.replaceChildren(...bars.map((bar) => row(bar, bar === top, box)));
  box.classList.toggle("few", bars.length <= 3);
  // A name has what it needs, up to a third of the room; where nothing has a size yet, that of the longest of ours.
  const longest = Math.max(...[...list.querySelectorAll(".name")].map((name) => name.scrollWidth));
  box.style.setProperty("--name", `${Math.max(84, Math.min(longest, box.clientWidth / 3))}px`);
  more.onclick = () => {
    const all = box.classList.toggle("all");
    more.textContent = all ? "show three" : "show all";
    more.setAttribute("aria-expanded", String(all));
  };
}

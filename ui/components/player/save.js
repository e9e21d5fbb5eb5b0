// What is on the screen as a picture of its own: its name, its axes, its scales of levels.

const TITLE_PIXELS = 26;
const LETTER_PIXELS = 11;

const saving = {
  // Pictures as images; lines and text as such.
  svg() {
    const box = this.stage.getBoundingClientRect();
    const view = getComputedStyle(this.find(".view"));
    const labels = [...this.stage.querySelectorAll(".tick, .label")];
    // Labels longer than their column stand out of the stage on its left.
    const left = Math.floor(Math.min(0, ...labels.map((label) => label.getBoundingClientRect().left - box.left - 6)));
    // The letters that a picture is drawn with elsewhere may be wider than the page's.
    const ink = document.createElement("canvas").getContext("2d");
    ink.font = `${LETTER_PIXELS}px sans-serif`;
    const ends = [...this.stage.querySelectorAll(".scale span")].map((word) => word.getBoundingClientRect().left - box.left + ink.measureText(word.textContent).width + 6);
    const right = Math.ceil(Math.max(box.width, ...ends));
    const [width, height] = [right - left, Math.ceil(box.height) + TITLE_PIXELS];
    const ground = view.getPropertyValue("--st-background-color") || "#fff";
    const parts = [`<rect x="${left}" y="${-TITLE_PIXELS}" width="${width}" height="${height}" fill="${ground}"/>`];
    const title = [this.data.title, `${clock(this.window[0])} to ${clock(this.window[1])}`].filter(Boolean).join(", ");
    parts.push(`<text x="${left + 8}" y="-9" font-size="14" font-weight="600">${escape(title)}</text>`);
    const place = (element) => {
      const found = element.getBoundingClientRect();
      return { x: found.left - box.left, y: found.top - box.top, width: found.width, height: found.height };
    };
    for (const canvas of this.stage.querySelectorAll(".lane canvas, .clock")) {
      const { x, y, width: wide, height: high } = place(canvas);
      parts.push(`<image x="${x}" y="${y}" width="${wide}" height="${high}" preserveAspectRatio="none" href="${canvas.toDataURL("image/png")}"/>`);
    }
    const text = (element, anchor) => {
      const { x, y, width: wide, height: high } = place(element);
      parts.push(`<text x="${anchor === "end" ? x + wide - 7 : x}" y="${y + high / 2 + 4}" text-anchor="${anchor}">${escape(element.textContent)}</text>`);
    };
    for (const label of labels) text(label, "end");
    for (const words of this.stage.querySelectorAll(".head, .scale span")) text(words, "start");
    for (const [index, strip] of [...this.stage.querySelectorAll(".strip")].entries()) {
      const { x, y, width: wide, height: high } = place(strip);
      const stops = strip.dataset.stops.split(" ").map((color, at, all) => `<stop offset="${at / (all.length - 1)}" stop-color="${color}"/>`);
      parts.push(`<linearGradient id="scale${index}" x1="0" y1="1" x2="0" y2="0">${stops.join("")}</linearGradient>`);
      parts.push(`<rect x="${x}" y="${y}" width="${wide}" height="${high}" fill="url(#scale${index})"/>`);
    }
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${left} ${-TITLE_PIXELS} ${width} ${height}" font-family="sans-serif" font-size="${LETTER_PIXELS}" fill="${view.color}">${parts.join("")}</svg>`;
  },

  async save(kind) {
    const svg = new Blob([this.svg()], { type: "image/svg+xml" });
    const blob = kind === "svg" ? svg : await this.rasterise(svg);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${this.data.saveName}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  },

  async rasterise(svg) {
    const image = new Image();
    image.src = URL.createObjectURL(svg);
    await image.decode();
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: image.width * 2, height: image.height * 2 });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(image.src);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  },
};

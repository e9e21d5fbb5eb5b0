// A card as a PNG, twice as fine as it is wide, so that it stays sharp where it is shared.

const FINENESS = 2;

async function rasterised(svg) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: image.width * FINENESS, height: image.height * FINENESS });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

export default function ({ data, parentElement }) {
  const { svg, stem } = JSON.parse(data.json);
  parentElement.querySelector(".save").onclick = async () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await rasterised(svg));
    link.download = `${stem}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
}

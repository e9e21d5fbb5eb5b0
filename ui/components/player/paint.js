// Cells as they come from Python, and the pictures that they make.

function colorMap(stops) {
  const points = stops.map(rgb);
  const map = new Uint8Array(256 * 3);
  for (let value = 0; value < 256; value += 1) {
    const at = (value / 255) * (points.length - 1);
    const low = Math.min(Math.floor(at), points.length - 2);
    for (let part = 0; part < 3; part += 1) {
      map[value * 3 + part] = Math.round(points[low][part] + (at - low) * (points[low + 1][part] - points[low][part]));
    }
  }
  return map;
}

async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function paint(picture, cells, map) {
  const image = new ImageData(picture.columns, picture.rows);
  for (let column = 0; column < picture.columns; column += 1) {
    for (let row = 0; row < picture.rows; row += 1) {
      const from = cells[column * picture.rows + row] * 3;
      const to = ((picture.rows - 1 - row) * picture.columns + column) * 4;
      image.data[to] = map[from];
      image.data[to + 1] = map[from + 1];
      image.data[to + 2] = map[from + 2];
      image.data[to + 3] = 255;
    }
  }
  const canvas = document.createElement("canvas");
  canvas.width = picture.columns;
  canvas.height = picture.rows;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// Cells that spoke for and against, as two colours laid over a picture in grey.
function paintTint(tint, cells) {
  const image = new ImageData(tint.columns, tint.rows);
  for (let column = 0; column < tint.columns; column += 1) {
    for (let row = 0; row < tint.rows; row += 1) {
      const share = (cells[column * tint.rows + row] - 128) / 127;
      const color = rgb(share > 0 ? tint.colors[0] : tint.colors[1]);
      // Faint ones are noise of the measurement, and would hide the picture.
      const alpha = Math.round(235 * Math.max(0, Math.abs(share) - 0.15));
      image.data.set([...color, alpha], ((tint.rows - 1 - row) * tint.columns + column) * 4);
    }
  }
  const canvas = document.createElement("canvas");
  canvas.width = tint.columns;
  canvas.height = tint.rows;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

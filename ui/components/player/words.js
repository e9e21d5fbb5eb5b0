// Times, frequencies and levels as a musician writes them.

const NOTES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const tail = String(Math.floor(tenths / 10) % 60).padStart(2, "0");
  const minutes = Math.floor(tenths / 600);
  const first = minutes < 60 ? minutes : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`;
  return `${first}:${tail}.${tenths % 10}`;
}

function hertz(hz) {
  return hz < 1000 ? `${Math.round(hz)} Hz` : `${(hz / 1000).toFixed(hz < 10000 ? 2 : 1)} kHz`;
}

function note(hz) {
  const midi = Math.round(69 + 12 * Math.log2(hz / 440));
  return `${NOTES[((midi % 12) + 12) % 12]}${Math.floor(midi / 12) - 1}`;
}

// Of a full-scale sine, or of what the picture is of.
const isLevel = (unit) => unit === "dB" || unit === "dBFS";

function number(value, unit) {
  const size = Math.abs(value);
  const digits = unit ? 1 : 2;
  const text = isLevel(unit) ? String(Math.round(size)) : size.toFixed(!unit && size >= 10 ? 0 : digits);
  return `${value < 0 && Number(text) !== 0 ? "−" : ""}${text}${unit ? ` ${unit}` : ""}`;
}

const shortTime = (seconds) => (seconds < 0.0995 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`);

const escape = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

// One form of a confidence everywhere: never a certain 1.
const confidence = (share) => (share > 0.99 ? "> 0.99" : share.toFixed(2));

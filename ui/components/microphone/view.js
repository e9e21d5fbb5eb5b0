// The microphone's button, its level and the answer so far. Samples are numbered; one message is under way at a time,
// and what it held is let go when the server says that it came.

const LOWEST_DB = -60;
const LOUD_DB = -1;
const QUIET_DB = -30;
// A message holds no more than a second, so that an answer comes for each, unless the server lags behind.
const LEAST_SECONDS = 0.5;
const MESSAGE_SECONDS = 1;
const LAG_SECONDS = 5;
const MOST_SECONDS = 10;
const SEND_AGAIN_MS = 8000;
const LOST_SECONDS = 60;
const WAKE_MS = 8000;

const READY = "Let the music play. The answer comes while it does; it ends by itself once that is sure.";
const DENIED = "No microphone: allow it in the browser’s address bar, or plug one in.";
const NO_ACCESS = "This browser gives no microphone here. Open the page as localhost or over https.";
const ASLEEP = "This browser cannot listen along: it has no sound output. Record first, below.";
const UNFIT = "This browser cannot listen along. Record first, below.";
const LOST = "The server has not answered for a minute. What it heard until then is kept.";
let isKept = false; // whether to keep listening, as it was ticked last

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function pcm(block) {
  return Int16Array.from(block, (sample) => Math.round(32767 * Math.min(1, Math.max(-1, sample))));
}

// Little-endian, as every machine is that has a browser.
function base64(samples) {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

class Microphone {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    // One handler, whoever had the button before.
    this.find(".go").onclick = () => (this.capture ? this.end() : this.start());
    this.press(false);
    // The box may be drawn anew after it was ticked.
    const box = this.find(".keep input");
    box.checked = isKept;
    box.onchange = () => (isKept = box.checked);
    this.say(READY);
    this.warn();
  }

  update(shown, tell) {
    this.tell = tell;
    this.mostSeconds = shown.mostSeconds;
    const isMine = this.id && shown.listening === this.id;
    if (isMine) {
      this.letGo(shown.n_heard);
      if (shown.is_over) this.finish(shown.words);
      else if (shown.number === this.number) {
        this.isWaiting = false;
        this.send();
      }
    } else if (shown.words && !this.capture) this.say(shown.words);
    this.draw(isMine && shown.seconds ? shown : null);
  }

  say(words) {
    const place = this.find(".words");
    if (place.textContent !== words) place.textContent = words;
  }

  // Said before anybody presses a button that cannot work.
  async warn() {
    if (!navigator.mediaDevices?.getUserMedia || !window.AudioContext) {
      this.say(navigator.mediaDevices?.getUserMedia ? UNFIT : NO_ACCESS);
      this.find(".go").disabled = true;
      return;
    }
    try {
      const permission = await navigator.permissions.query({ name: "microphone" });
      const told = () => {
        if (!this.capture) this.say(permission.state === "denied" ? DENIED : READY);
      };
      permission.onchange = told;
      if (permission.state === "denied") told();
    } catch {
      // Some browsers cannot be asked.
    }
  }

  async start() {
    const capture = new Capture((block, isLast) => this.take(block, isLast));
    this.capture = capture;
    this.id = crypto.getRandomValues(new Uint32Array(4)).join("-");
    Object.assign(this, { queue: [], first: 0, total: 0, number: 0, isOver: false, isWaiting: false, level: LOWEST_DB, peak: LOWEST_DB });
    this.press(true);
    this.say("");
    try {
      await capture.open();
    } catch (error) {
      capture.close();
      this.rest(error.name === "NotAllowedError" || error.name === "NotFoundError" ? DENIED : UNFIT);
      return;
    }
    if (this.capture !== capture) {
      capture.close();
      return;
    }
    this.waking = setTimeout(() => {
      if (capture.isAsleep) {
        capture.close();
        this.rest(ASLEEP);
      }
    }, WAKE_MS);
  }

  // The button as it was.
  rest(words) {
    clearTimeout(this.waking);
    clearTimeout(this.again);
    this.capture = null;
    this.id = "";
    this.queue = [];
    this.press(false);
    this.say(words);
  }

  press(isOn) {
    this.find(".go").setAttribute("aria-pressed", String(isOn));
    this.find(".label").textContent = isOn ? "Stop listening" : "Listen";
    this.find(".go").disabled = false;
    this.find(".track").hidden = this.find(".clock").hidden = !isOn;
  }

  end() {
    if (this.capture.context) this.capture.end();
    else this.rest(READY);
  }

  // The server has ended it.
  finish(words) {
    this.capture?.close();
    this.rest(words || READY);
  }

  get keepsOn() {
    return this.find(".keep input").checked;
  }

  take(block, isLast) {
    if (this.isOver) return;
    const most = Math.round(this.mostSeconds * this.capture.rate);
    const isFull = !this.keepsOn && this.total + block.length >= most;
    const samples = pcm(isFull ? block.subarray(0, Math.max(0, most - this.total)) : block);
    if (samples.length) this.queue.push(samples);
    this.total += samples.length;
    this.isOver = isLast || isFull;
    this.find(".go").disabled = this.isOver;
    if (isFull && !isLast) this.capture.close();
    this.meter(block);
    if (this.lag > LOST_SECONDS && !this.isOver) {
      this.isOver = true;
      this.capture.close();
      this.say(LOST);
    }
    this.send();
  }

  // Seconds that the server does not have yet.
  get lag() {
    return (this.total - this.first) / this.capture.rate;
  }

  letGo(nHeard) {
    while (this.queue.length && this.first + this.queue[0].length <= nHeard) this.first += this.queue.shift().length;
    if (this.first < nHeard && this.queue.length) {
      this.queue[0] = this.queue[0].subarray(nHeard - this.first);
      this.first = nHeard;
    }
  }

  send() {
    if (this.isWaiting || !this.capture || isLeaving()) return;
    const seconds = this.lag;
    if (!this.isOver && seconds < LEAST_SECONDS) return;
    const most = (this.isOver || seconds > LAG_SECONDS ? MOST_SECONDS : MESSAGE_SECONDS) * this.capture.rate;
    const blocks = [];
    let length = 0;
    for (const block of this.queue) {
      if (length && length + block.length > most) break;
      blocks.push(block);
      length += block.length;
    }
    this.hand(blocks, this.isOver && this.first + length === this.total);
  }

  hand(blocks, isLast) {
    const joined = new Int16Array(blocks.reduce((sum, block) => sum + block.length, 0));
    let filled = 0;
    for (const block of blocks) {
      joined.set(block, filled);
      filled += block.length;
    }
    this.isWaiting = true;
    this.number += 1;
    const { id: listening, number, first: at, keepsOn } = this;
    this.tell("told", { listening, number, rate: this.capture.rate, at, samples: base64(joined), isLast, keepsOn });
    clearTimeout(this.again);
    this.again = setTimeout(() => {
      this.isWaiting = false;
      this.send();
    }, SEND_AGAIN_MS);
  }

  meter(block) {
    const amplitude = block.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    this.level = Math.max(LOWEST_DB, 20 * Math.log10(amplitude || 1e-6), this.level - 2);
    this.peak = Math.max(this.level, this.peak - 0.5);
    this.find(".fill").style.width = `${(100 * (this.level - LOWEST_DB)) / -LOWEST_DB}%`;
    this.find(".track").setAttribute("aria-valuenow", String(Math.round(this.level)));
    const seconds = this.total / this.capture.rate;
    const left = Math.ceil(this.mostSeconds - seconds);
    const rest = this.keepsOn ? "on until you stop it" : `ends by itself, in ${Math.max(0, left)} s at most`;
    this.find(".clock").textContent = this.isOver ? `${clock(seconds)} · finding the answer` : `${clock(seconds)} · ${rest}`;
    if (seconds > 1 && !this.isOver) this.judge();
  }

  judge() {
    if (this.peak > LOUD_DB) this.say("Too loud: it clips. Turn it down or move away.");
    else if (this.peak < LOWEST_DB + 5) this.say("Nothing is heard. Is this the right microphone?");
    else if (this.peak < QUIET_DB) this.say("Quiet. Move closer if you can.");
    else this.say("Good level.");
  }

  draw(shown) {
    const place = this.find(".answer");
    place.hidden = !shown;
    if (!shown) return;
    place.dataset.seconds = shown.seconds;
    place.dataset.lag = this.capture ? this.lag.toFixed(2) : "0";
    this.find(".sentence").textContent = shown.sentence;
    this.find(".about").textContent = shown.about;
    const { cells } = shown;
    const timeline = this.find(".timeline");
    // Of what is no music no genre is told.
    timeline.hidden = this.find(".scale").hidden = !cells.length;
    if (!cells.length) return;
    const first = cells[0].start;
    const length = Math.max(shown.seconds - first, this.mostSeconds);
    timeline.replaceChildren(
      ...cells.map(({ start, end, name, color }) => {
        const part = document.createElement("div");
        part.style.width = `${(100 * (end - start)) / length}%`;
        part.style.background = colorAt(timeline, color);
        const words = document.createElement("span");
        words.textContent = part.title = name;
        part.append(words);
        return part;
      }),
    );
    // No name is better than half a name.
    for (const words of timeline.querySelectorAll("span")) words.hidden = words.scrollWidth > words.clientWidth;
    timeline.setAttribute("aria-label", cells.map(({ start, end, name }) => `${name} from ${clock(start)} to ${clock(end)}`).join(", "));
    this.find(".first").textContent = clock(first);
    this.find(".last").textContent = clock(first + length);
  }

  close() {
    this.capture?.close();
    clearTimeout(this.waking);
    clearTimeout(this.again);
    this.capture = null;
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const microphone = lastingOn(parentElement, () => new Microphone(parentElement));
  microphone.update(JSON.parse(data.json), setStateValue);
  return () => leave(parentElement);
}

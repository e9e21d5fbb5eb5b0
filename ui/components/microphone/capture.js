// Samples from the microphone, all of them and in order, as blocks of a tenth of a second: from an AudioWorklet, or,
// where there is none, from the node that came before it.

const BLOCKS_A_SECOND = 10;
const SCRIPT_NODE_SAMPLES = 4096;
// The browser's speech filters would bend music, and its gain control the level.
const RAW = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

const WORKLET = `
class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.block = new Float32Array(processorOptions.length);
    this.filled = 0;
    this.isOver = false;
    this.port.onmessage = () => {
      this.hand(true);
      this.isOver = true;
    };
  }
  hand(isLast) {
    this.port.postMessage({ block: this.block.slice(0, this.filled), isLast });
    this.filled = 0;
  }
  process([channels]) {
    if (this.isOver) return false;
    if (!channels.length) return true;
    for (let at = 0; at < channels[0].length; at += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[at];
      this.block[this.filled] = sum / channels.length;
      this.filled += 1;
      if (this.filled === this.block.length) this.hand(false);
    }
    return true;
  }
}
registerProcessor("genrescope-capture", Capture);
`;

class Capture {
  // `onBlock` is given samples from −1 to 1, and whether they are the last.
  constructor(onBlock) {
    this.onBlock = onBlock;
  }

  // Opens the microphone; throws where it may not.
  async open() {
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: RAW });
    this.context = new AudioContext();
    this.rate = this.context.sampleRate;
    // Not waited for: where there is no sound output it never comes.
    this.context.resume();
    this.source = this.context.createMediaStreamSource(this.stream);
    if (this.context.audioWorklet) await this.openWorklet();
    else this.openScriptNode();
    // What is connected to nothing is not run; what it plays is silence.
    this.source.connect(this.node).connect(this.context.destination);
    // A microphone that is pulled out ends the listening; what came is kept.
    this.stream.getAudioTracks()[0].addEventListener("ended", () => this.end());
  }

  async openWorklet() {
    const url = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
    try {
      await this.context.audioWorklet.addModule(url);
    } finally {
      URL.revokeObjectURL(url);
    }
    const processorOptions = { length: Math.round(this.rate / BLOCKS_A_SECOND) };
    this.node = new AudioWorkletNode(this.context, "genrescope-capture", { processorOptions });
    this.node.port.onmessage = ({ data: { block, isLast } }) => this.take(block, isLast);
  }

  openScriptNode() {
    this.node = this.context.createScriptProcessor(SCRIPT_NODE_SAMPLES, 1, 1);
    this.node.onaudioprocess = (event) => this.take(event.inputBuffer.getChannelData(0).slice(), false);
  }

  take(block, isLast) {
    if (!this.context) return;
    this.onBlock(block, isLast);
    if (isLast) this.close();
  }

  get isAsleep() {
    return this.context?.state !== "running";
  }

  // Closes the microphone when the rest was handed over.
  end() {
    if (this.node?.port && !this.isAsleep) this.node.port.postMessage("end");
    else this.take(new Float32Array(0), true);
  }

  // Closes it at once.
  close() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context?.close();
    this.stream = this.context = null;
  }
}

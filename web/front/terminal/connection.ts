// One terminal's connection: comes back by itself, loses no byte and doubles none.
//
// Output bytes are numbered. What was received last is told when coming back; what was drawn last
// is acknowledged, and the shell is held back when the browser does not draw fast enough.

import * as frames from "./frames";

export type Link =
  | { state: "connecting" }
  | { state: "online" }
  | { state: "offline"; since: number }
  /** The server said why; asked again later. */
  | { state: "refused" };

/** Whoever draws. */
export interface Screen {
  size(): { cols: number; rows: number };
  /** Draws output, then calls back. */
  output(bytes: Uint8Array, drawn: () => void): void;
  /** Draws everything again at this size, then calls back. */
  redraw(cols: number, rows: number, bytes: Uint8Array, drawn: () => void): void;
  notice(notice: Record<string, unknown>): void;
  /** The first frame of a connection is drawn. */
  settled(): void;
  link(link: Link): void;
}

const FIRST_DELAY = 250;
const LONGEST_DELAY = 5000;
// Close code 1013 of RFC 6455's registry.
const TRY_AGAIN_LATER = 1013;
const CHUNK = 32 * 1024;

export class Connection {
  #address: string;
  #screen: Screen;
  #socket: WebSocket | null = null;
  #last: bigint | null = null;
  #delay = FIRST_DELAY;
  #timer = 0;
  #since = 0;
  #ended = false;
  #settled = false;

  constructor(address: string, screen: Screen) {
    this.#address = address;
    this.#screen = screen;
    addEventListener("online", this.#hurry);
    document.addEventListener("visibilitychange", this.#hurry);
    this.#connect();
  }

  /** Types text; lost while offline, as on any terminal whose line is cut. */
  type(text: string): void {
    this.send(new TextEncoder().encode(text));
  }

  /** Types bytes. */
  send(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += CHUNK) {
      this.#post(frames.input(bytes.subarray(at, at + CHUNK)));
    }
  }

  resize(cols: number, rows: number): void {
    this.#post(frames.resize(cols, rows));
  }

  /** Ends the shell, and this connection. */
  close(): void {
    this.#post(frames.close());
    this.leave();
  }

  /** Ends this connection; the shell stays. */
  leave(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    removeEventListener("online", this.#hurry);
    document.removeEventListener("visibilitychange", this.#hurry);
    this.#socket?.close();
  }

  #post(frame: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(frame);
  }

  #connect(): void {
    clearTimeout(this.#timer);
    const { cols, rows } = this.#screen.size();
    const query = new URLSearchParams({ cols: String(cols), rows: String(rows) });
    if (this.#last !== null) query.set("resume", String(this.#last));
    const socket = new WebSocket(`${this.#address}?${query}`);
    socket.binaryType = "arraybuffer";
    if (this.#since === 0) this.#screen.link({ state: "connecting" });
    socket.onmessage = (event) => {
      if (socket === this.#socket && event.data instanceof ArrayBuffer) this.#take(socket, event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#lost(event.code);
    };
    this.#socket = socket;
    this.#settled = false;
  }

  #take(socket: WebSocket, message: ArrayBuffer): void {
    const frame = frames.parse(message);
    if (!frame) return;
    if (frame.kind === "notice") {
      this.#screen.notice(frame.notice);
      return;
    }
    const first = !this.#settled;
    this.#settled = true;
    const drawn = (seq: bigint) => () => {
      if (socket.readyState === WebSocket.OPEN) socket.send(frames.ack(seq));
      if (first && socket === this.#socket) this.#screen.settled();
    };
    if (frame.kind === "screen") {
      this.#online();
      this.#last = frame.seq;
      this.#screen.redraw(frame.cols, frame.rows, frame.bytes, drawn(frame.seq));
      return;
    }
    const known = this.#last ?? frame.seq - 1n;
    if (frame.seq > known + 1n) {
      // A hole: nothing can be drawn right after it, so the whole screen is asked for.
      this.#last = null;
      socket.close();
      return;
    }
    this.#online();
    const fresh = frame.bytes.subarray(Number(known + 1n - frame.seq));
    const seq = known + BigInt(fresh.length);
    this.#last = seq;
    this.#screen.output(fresh, drawn(seq));
  }

  #online(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#delay = FIRST_DELAY;
    this.#since = 0;
    this.#screen.link({ state: "online" });
  }

  #lost(code: number): void {
    this.#socket = null;
    if (this.#ended) return;
    if (this.#since === 0) this.#since = Date.now();
    if (code === TRY_AGAIN_LATER) {
      this.#delay = LONGEST_DELAY;
      this.#screen.link({ state: "refused" });
    } else {
      this.#screen.link({ state: "offline", since: this.#since });
    }
    const wait = this.#delay * (0.8 + 0.4 * Math.random());
    this.#delay = Math.min(this.#delay * 1.7, LONGEST_DELAY);
    this.#timer = window.setTimeout(() => this.#connect(), wait);
  }

  /** The network or the person is back: no reason to wait. */
  #hurry = (): void => {
    if (this.#socket === null && !this.#ended && document.visibilityState === "visible") {
      this.#delay = FIRST_DELAY;
      this.#connect();
    }
  };
}

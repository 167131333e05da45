// The frames of a terminal's websocket; the same as server/src/machine/keeper/wire.rs, unlengthed.

export type FromKeeper =
  | { kind: "output"; seq: bigint; bytes: Uint8Array }
  | { kind: "screen"; seq: bigint; cols: number; rows: number; bytes: Uint8Array }
  | { kind: "notice"; notice: Record<string, unknown> };

/** Reads one message; `null` for what this page is too old or too new to understand. */
export function parse(message: ArrayBuffer): FromKeeper | null {
  const view = new DataView(message);
  if (view.byteLength < 1) return null;
  switch (view.getUint8(0)) {
    case 0:
      if (view.byteLength < 9) return null;
      return { kind: "output", seq: view.getBigUint64(1), bytes: new Uint8Array(message, 9) };
    case 1:
      if (view.byteLength < 13) return null;
      return {
        kind: "screen",
        seq: view.getBigUint64(1),
        cols: view.getUint16(9),
        rows: view.getUint16(11),
        bytes: new Uint8Array(message, 13),
      };
    case 2:
      return { kind: "notice", notice: JSON.parse(new TextDecoder().decode(message.slice(1))) };
    default:
      return null;
  }
}

/** Bytes typed or pasted. */
export function input(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(1 + bytes.length);
  frame.set(bytes, 1);
  return frame;
}

/** Everything up to byte number `seq` is drawn. */
export function ack(seq: bigint): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(9);
  frame[0] = 1;
  new DataView(frame.buffer).setBigUint64(1, seq);
  return frame;
}

/** The window's new size. */
export function resize(cols: number, rows: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(5);
  frame[0] = 2;
  const view = new DataView(frame.buffer);
  view.setUint16(1, cols);
  view.setUint16(3, rows);
  return frame;
}

/** The terminal is closed for good. */
export function close(): Uint8Array<ArrayBuffer> {
  return new Uint8Array([3]);
}

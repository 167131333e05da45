// One terminal on the page: xterm.js, its keys, and what it says about its shell.

import { FitAddon } from "@xterm/addon-fit";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { Terminal } from "@xterm/xterm";
import { say } from "../sentences";
import { Connection, type Link, type Screen } from "./connection";
import { clean, guard, openLink } from "./guard";
import { confirmPaste } from "./paste";
import * as theme from "./theme";

/** What the tab bar needs to hear. */
export interface Surroundings {
  /** One short sentence about the connection or the shell; empty when all is well. */
  status(view: View, sentence: string): void;
  /** The person asked to leave the terminal with the keyboard. */
  leave(view: View): void;
  /** The terminal was closed, here or elsewhere. */
  closed(view: View): void;
}

export class View implements Screen {
  readonly panel: HTMLElement;
  #terminal: Terminal;
  #fit = new FitAddon();
  #around: Surroundings;
  #connection: Connection;
  #offlineTimer = 0;

  constructor(
    readonly name: string,
    address: string,
    panel: HTMLElement,
    around: Surroundings,
    reader: boolean,
  ) {
    this.panel = panel;
    this.#around = around;
    this.#terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      fontFamily: 'ui-monospace, "DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace',
      fontSize: 14,
      lineHeight: 1.15,
      // Random bytes are no fault of ours, and writing each to the console takes seconds.
      logLevel: "off",
      linkHandler: { activate: (_event, uri) => openLink(uri) },
      minimumContrastRatio: 4.5,
      screenReaderMode: reader,
      scrollback: 5000,
      theme: theme.current(),
    });
    this.#terminal.loadAddon(this.#fit);
    this.#terminal.loadAddon(new Unicode11Addon());
    this.#terminal.unicode.activeVersion = "11";
    this.#terminal.loadAddon(new WebLinksAddon((_event, uri) => openLink(uri)));
    guard(this.#terminal);
    this.#terminal.open(panel);
    this.#fitNow();

    theme.follow((colours) => (this.#terminal.options.theme = colours));
    this.#terminal.attachCustomKeyEventHandler((event) => this.#key(event));
    panel.addEventListener("paste", (event) => this.#paste(event), { capture: true });
    new ResizeObserver(() => this.refit()).observe(panel);
    addEventListener("focus", () => this.refit());

    this.#connection = new Connection(address, this);
    this.#terminal.onData((text) => this.#connection.type(text));
    this.#terminal.onBinary((data) => {
      this.#connection.send(Uint8Array.from(data, (char) => char.charCodeAt(0)));
    });
  }

  focus(): void {
    this.#terminal.focus();
  }

  /** Types a command and Enter, unless a full-screen program would receive it. */
  run(command: string): boolean {
    if (this.#terminal.buffer.active.type === "alternate") {
      this.#around.status(this, say("terminal.busy"));
      return false;
    }
    this.#terminal.paste(clean(command).replace(/\s+$/, ""));
    this.#connection.type("\r");
    this.focus();
    return true;
  }

  readerMode(on: boolean): void {
    this.#terminal.options.screenReaderMode = on;
  }

  /** Takes the room there is, and tells the shell. */
  refit(): void {
    const { cols, rows } = this.#terminal;
    if (this.#fitNow() && (cols !== this.#terminal.cols || rows !== this.#terminal.rows)) {
      this.#connection.resize(this.#terminal.cols, this.#terminal.rows);
    }
  }

  /** Ends the shell and takes the terminal off the page. */
  close(): void {
    this.#connection.close();
    this.dispose();
  }

  dispose(): void {
    clearInterval(this.#offlineTimer);
    this.#connection.leave();
    this.#terminal.dispose();
    this.panel.remove();
  }

  size(): { cols: number; rows: number } {
    this.#fitNow();
    return { cols: this.#terminal.cols, rows: this.#terminal.rows };
  }

  output(bytes: Uint8Array, drawn: () => void): void {
    this.#terminal.write(bytes, drawn);
  }

  redraw(cols: number, rows: number, bytes: Uint8Array, drawn: () => void): void {
    // Another window may have chosen the size: ours comes back when this one is used again.
    // What is still in xterm's queue is older; an empty write keeps the order.
    this.#terminal.write("", () => {
      this.#terminal.resize(Math.max(cols, 2), Math.max(rows, 1));
    });
    this.#terminal.write(bytes, drawn);
  }

  /** The window may have changed while nobody listened. */
  settled(): void {
    if (this.#fitNow()) this.#connection.resize(this.#terminal.cols, this.#terminal.rows);
  }

  notice(notice: Record<string, unknown>): void {
    const why = String(notice["why"] ?? "");
    if (notice["terminal"] === "closed") {
      this.#around.closed(this);
      return;
    }
    const sentences: Record<string, string> = {
      ended: say("terminal.ended"),
      restarted: "",
      impossible: say("terminal.impossible", { why }),
      starting: say("terminal.starting"),
      stopped: say("terminal.stopped"),
      failed: say("terminal.failed", { why }),
    };
    const event = String(notice["shell"] ?? notice["machine"] ?? "");
    const sentence = sentences[event];
    if (sentence !== undefined) this.#around.status(this, sentence);
  }

  link(link: Link): void {
    clearInterval(this.#offlineTimer);
    this.panel.dataset["link"] = link.state;
    if (link.state === "connecting") {
      this.#around.status(this, say("terminal.connecting"));
    } else if (link.state === "online") {
      this.#around.status(this, "");
    } else if (link.state === "offline") {
      const tell = () => {
        const seconds = Math.round((Date.now() - link.since) / 1000);
        this.#around.status(this, say("terminal.offline", { seconds }));
      };
      this.#offlineTimer = window.setInterval(tell, 1000);
      if (Date.now() - link.since > 500) tell();
    }
  }

  #fitNow(): boolean {
    if (this.panel.hidden || this.panel.clientWidth === 0) return false;
    this.#fit.fit();
    return true;
  }

  /** Keys that are ours; `false` keeps them from the shell. */
  #key(event: KeyboardEvent): boolean {
    if (event.type !== "keydown" || !event.ctrlKey || !event.shiftKey || event.altKey) return true;
    switch (event.code) {
      case "KeyC":
        event.preventDefault();
        if (this.#terminal.hasSelection()) {
          void navigator.clipboard?.writeText(this.#terminal.getSelection());
        }
        return false;
      case "KeyV":
        // The browser answers with a paste event.
        return false;
      case "ArrowUp":
        event.preventDefault();
        this.#around.leave(this);
        return false;
      default:
        return true;
    }
  }

  #paste(event: ClipboardEvent): void {
    event.preventDefault();
    event.stopPropagation();
    const text = clean(event.clipboardData?.getData("text/plain") ?? "");
    const paste = () => {
      this.#terminal.paste(text);
      this.focus();
    };
    const lines = text.trimEnd().split(/\r\n|\r|\n/).length;
    // With bracketed paste the shell waits for Enter; without it each line runs at once.
    if (lines > 1 && !this.#terminal.modes.bracketedPasteMode) {
      confirmPaste(text, lines, paste);
    } else if (text) {
      paste();
    }
  }
}

// What a terminal may not do to the page, whatever bytes it prints.

import type { Terminal } from "@xterm/xterm";

const HANDLED = true;

/**
 * Turns off the clipboard and every report.
 *
 * The keeper answers a program's questions from its own emulated screen: three browsers on one
 * terminal must not answer three times, and a replay must not answer old questions again.
 */
export function guard(terminal: Terminal): void {
  const parser = terminal.parser;
  parser.registerOscHandler(52, () => HANDLED);
  for (const colours of [4, 10, 11, 12]) {
    parser.registerOscHandler(colours, (data) => data.includes("?"));
  }
  const reports = [
    { final: "n" },
    { prefix: "?", final: "n" },
    { final: "c" },
    { prefix: ">", final: "c" },
    { prefix: "=", final: "c" },
    { prefix: ">", final: "q" },
    { final: "t" },
    { intermediates: "$", final: "p" },
    { prefix: "?", intermediates: "$", final: "p" },
  ];
  for (const id of reports) parser.registerCsiHandler(id, () => HANDLED);
  parser.registerDcsHandler({ intermediates: "$", final: "q" }, () => HANDLED);
  parser.registerDcsHandler({ intermediates: "+", final: "q" }, () => HANDLED);
}

/** Opens a link that a program printed: web pages only, without a way back to this one. */
export function openLink(uri: string): void {
  let url: URL;
  try {
    url = new URL(uri);
  } catch {
    return;
  }
  if (url.protocol === "http:" || url.protocol === "https:") {
    window.open(url.href, "_blank", "noopener,noreferrer");
  }
}

/** Text fit for pasting: escape sequences could end the bracketed paste and run commands. */
export function clean(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, "");
}

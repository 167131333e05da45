// The colours of the terminal follow those of the page.

import type { ITheme } from "@xterm/xterm";

const dark: ITheme = {
  background: "#10141a",
  foreground: "#dbe2ea",
  cursor: "#f2c14e",
  cursorAccent: "#10141a",
  selectionBackground: "#3a5675",
  black: "#2b323c",
  red: "#f07178",
  green: "#8bd49c",
  yellow: "#ebc06d",
  blue: "#70b1ff",
  magenta: "#d4a1f5",
  cyan: "#5ccfe6",
  white: "#c9d1d9",
  brightBlack: "#7d8896",
  brightRed: "#ff9ba0",
  brightGreen: "#b4f0c1",
  brightYellow: "#ffdb97",
  brightBlue: "#a3ceff",
  brightMagenta: "#e7c6ff",
  brightCyan: "#95e6f5",
  brightWhite: "#ffffff",
};

const light: ITheme = {
  background: "#fbfaf7",
  foreground: "#23292f",
  cursor: "#9a5b00",
  cursorAccent: "#fbfaf7",
  selectionBackground: "#bcd6f2",
  black: "#23292f",
  red: "#b3261e",
  green: "#17692d",
  yellow: "#7a5200",
  blue: "#1552a0",
  magenta: "#7b2d8e",
  cyan: "#0b6470",
  white: "#5b6570",
  brightBlack: "#6b7580",
  brightRed: "#cc3a31",
  brightGreen: "#1f7a38",
  brightYellow: "#8a6100",
  brightBlue: "#2464b8",
  brightMagenta: "#9140a5",
  brightCyan: "#147685",
  brightWhite: "#3b444d",
};

const prefersDark = matchMedia("(prefers-color-scheme: dark)");

/** The theme of the page at this moment. */
export function current(): ITheme {
  const chosen = document.documentElement.dataset["theme"];
  const isDark = chosen === "dark" || (chosen !== "light" && prefersDark.matches);
  return isDark ? dark : light;
}

/** Calls back whenever the page's theme changes. */
export function follow(change: (theme: ITheme) => void): void {
  const tell = () => change(current());
  prefersDark.addEventListener("change", tell);
  new MutationObserver(tell).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

// Every page: theme, copying of code, what was read, the table of contents.

import { element, say } from "./sentences";

const THEME = "quai.theme";

// At once, before the page is drawn: the theme that was chosen.
const chosen = read(THEME);
if (chosen === "dark" || chosen === "light") document.documentElement.dataset["theme"] = chosen;

document.addEventListener("DOMContentLoaded", () => {
  theme();
  copies();
  reading();
  contents();
});

function theme(): void {
  const button = document.querySelector<HTMLButtonElement>(".bar #theme");
  if (!button) return;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => {
    const now = document.documentElement.dataset["theme"];
    return now === "dark" || (now !== "light" && system.matches);
  };
  const tell = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset["theme"] = next;
    write(THEME, next);
    tell();
  });
  system.addEventListener("change", tell);
  tell();
}

/** A button on each block of code; on an exercise, commands have theirs from the terminals. */
function copies(): void {
  const withTerminal = document.getElementById("terminals") !== null;
  for (const block of document.querySelectorAll<HTMLElement>(".prose pre.code")) {
    if (withTerminal && block.dataset["run"] !== undefined) continue;
    if (!navigator.clipboard) continue;
    const button = element("button", { type: "button", class: "button-small" }, say("command.copy"));
    button.addEventListener("click", () => {
      void navigator.clipboard.writeText(commandsOf(block)).then(() => {
        button.textContent = say("command.copied");
        setTimeout(() => (button.textContent = say("command.copy")), 1500);
      });
    });
    const frame = element("div", { class: "copyable" });
    block.replaceWith(frame);
    frame.append(block, button);
  }
}

/** The text of a block; of a transcript, only what was typed. */
function commandsOf(block: HTMLElement): string {
  const text = (block.querySelector("code") ?? block).textContent ?? "";
  if (!block.querySelector(".hl-prompt")) return text.trimEnd();
  const typed = text.split("\n").filter((line) => /^[$#] /.test(line));
  return typed.map((line) => line.slice(2)).join("\n");
}

/** Tells the server when the end of a lesson has been seen. */
function reading(): void {
  const end = document.getElementById("end");
  const href = end?.dataset["readHref"];
  if (!end || !href || end.dataset["read"] !== undefined) return;
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    void fetch(href, { method: "POST", keepalive: true });
  });
  watcher.observe(end);
}

/** Marks the heading that is being read in the table of contents. */
function contents(): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>(".contents a")];
  if (links.length === 0) return;
  const headings = links.flatMap((link) => {
    const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    return heading ? [{ link, heading }] : [];
  });
  const mark = () => {
    const limit = innerHeight / 3;
    let current = headings[0];
    for (const entry of headings) {
      if (entry.heading.getBoundingClientRect().top < limit) current = entry;
    }
    for (const { link } of headings) link.removeAttribute("aria-current");
    current?.link.setAttribute("aria-current", "true");
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      mark();
    });
  }, { passive: true });
  mark();
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // The choice then lasts as long as the page.
  }
}

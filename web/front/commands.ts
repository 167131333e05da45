// The command blocks of a statement: copy, or run in the terminal that is shown. Never by itself.

import { element, say } from "./sentences";

/** Adds buttons to the blocks under `place`; `run` types a command. */
export function commands(place: HTMLElement, run: (command: string) => void): void {
  for (const block of place.querySelectorAll<HTMLElement>("pre[data-run]")) {
    const text = () => block.querySelector("code")?.textContent ?? block.textContent ?? "";
    const runs = element("button", { type: "button" }, say("command.run"));
    runs.addEventListener("click", () => run(text()));
    const copies = element("button", { type: "button" }, say("command.copy"));
    copies.addEventListener("click", () => {
      void navigator.clipboard?.writeText(text().trimEnd()).then(() => {
        copies.textContent = say("command.copied");
        setTimeout(() => (copies.textContent = say("command.copy")), 1500);
      });
    });
    const bar = element("div", { class: "command-bar" });
    bar.append(runs, copies);
    const frame = element("div", { class: "command" });
    block.replaceWith(frame);
    frame.append(block, bar);
  }
}

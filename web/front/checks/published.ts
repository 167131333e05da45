// Beside the terminal: a link for each port on which a program of the machine answers.

import { element, say } from "../sentences";

export class Published {
  #href: string;
  #told: (port: number) => void;
  #place = document.getElementById("published");
  #links = new Map<number, HTMLElement>();
  #first = true;

  constructor(href: string, told: (port: number) => void) {
    this.#href = href;
    this.#told = told;
  }

  /** Shows exactly these ports; links that stay are left alone, focus and all. */
  show(ports: number[]): void {
    if (!this.#place) return;
    for (const [port, link] of this.#links) {
      if (ports.includes(port)) continue;
      link.remove();
      this.#links.delete(port);
    }
    for (const port of ports) {
      if (this.#links.has(port)) continue;
      const link = this.#link(port);
      const after = [...this.#links].find(([other]) => other > port)?.[1] ?? null;
      this.#place.insertBefore(link, after);
      this.#links.set(port, link);
      this.#links = new Map([...this.#links].sort(([a], [b]) => a - b));
      // What is there when the page opens is not news.
      if (!this.#first) this.#told(port);
    }
    this.#first = false;
    this.#place.hidden = ports.length === 0;
  }

  /** Another site opens in another tab, which cannot reach this one. */
  #link(port: number): HTMLElement {
    const attributes = {
      href: `${this.#href}/ouvrir/${port}`,
      target: "_blank",
      rel: "noopener noreferrer",
      "data-port": String(port),
    };
    const link = element("a", attributes, say("published.open", { port }));
    link.append(element("span", { "aria-hidden": "true" }, " \u2197"));
    return link;
  }
}

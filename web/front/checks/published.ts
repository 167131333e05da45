// Beside the terminal: a link for each port on which a program of the machine answers.

import { element, say } from "../sentences";

export class Published {
  #href: string;
  #host: string | null;
  #told: (port: number) => void;
  #place = document.getElementById("published");
  #links = new Map<number, HTMLElement>();
  #first = true;

  constructor(href: string, host: string | null, told: (port: number) => void) {
    this.#href = href;
    this.#host = host;
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
      this.#place.insertBefore(link, after ?? this.#end());
      this.#links.set(port, link);
      this.#links = new Map([...this.#links].sort(([a], [b]) => a - b));
      // What is there when the page opens is not news.
      if (!this.#first) this.#told(port);
    }
    this.#first = false;
    this.#place.hidden = this.#place.childElementCount === 0;
  }

  /** What stands behind the last of our links: the first of another machine's, or nothing. */
  #end(): ChildNode | null {
    return [...this.#links.values()].at(-1)?.nextSibling ?? null;
  }

  /** Another site opens in another tab, which cannot reach this one. */
  #link(port: number): HTMLElement {
    const attributes = {
      href: `${this.#href}/ouvrir/${port}`,
      target: "_blank",
      rel: "noopener noreferrer",
      "data-port": String(port),
      title: say("published.tab"),
    };
    const words = this.#host
      ? say("published.open-on", { port, host: this.#host })
      : say("published.open", { port });
    const link = element("a", attributes, words);
    link.append(element("span", { "aria-hidden": "true" }, " \u2197"));
    return link;
  }
}

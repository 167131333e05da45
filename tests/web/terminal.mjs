// The terminal of a page, as a person sees it: keys in, rows of text out.

const SHOWN = ".term-panel:not([hidden])";

export class Terminal {
  #page;
  #count = 0;

  constructor(page) {
    this.#page = page;
  }

  /** The rows that are visible, without what is only blank. */
  async rows() {
    const rows = await this.#page
      .locator(`${SHOWN} .xterm-rows > div`)
      .evaluateAll((divs) => divs.map((div) => div.textContent.replaceAll("\u00a0", " ").trimEnd()));
    while (rows.length > 0 && rows.at(-1) === "") rows.pop();
    return rows;
  }

  async text() {
    return (await this.rows()).join("\n");
  }

  /** Waits until the text matches, and gives the match. */
  async see(pattern, patience = 20_000) {
    const end = Date.now() + patience;
    for (;;) {
      const text = await this.text();
      const match = text.match(pattern);
      if (match) return match;
      if (Date.now() > end) throw new Error(`never saw ${pattern}; the terminal shows:\n${text}`);
      await this.#page.waitForTimeout(25);
    }
  }

  /** The first prompt of a root shell. */
  prompt() {
    return this.see(/# *$/m, 30_000);
  }

  async focus() {
    await this.#page.locator(`${SHOWN} .xterm-helper-textarea`).focus();
  }

  async type(text) {
    await this.focus();
    await this.#page.keyboard.type(text);
  }

  /** Runs a command and waits for its end; gives its exit code. */
  async run(command, patience = 60_000) {
    const number = ++this.#count;
    const mark = `fait${process.pid}n${number}`;
    // What is typed is echoed: the mark is spelled differently from what it prints.
    await this.type(`${command}; echo "${mark.slice(0, 4)}""${mark.slice(4)}=$?"\n`);
    const [, code] = await this.see(new RegExp(`${mark}=(\\d+)`), patience);
    return Number(code);
  }

  /** The shell's process id. */
  async pid() {
    const number = ++this.#count;
    await this.type(`echo "coq""uille${number}=$$."\n`);
    return (await this.see(new RegExp(`coquille${number}=(\\d+)\\.`)))[1];
  }
}

// The socket of the check list: comes back by itself; the server then says everything again.

/** Why an item is not green. */
export type Why = { explain?: string; line: string; source?: string };
export type ItemState = "pass" | "fail" | "pending" | "undetermined";
export type Item = { kind: "item"; id: string; state: ItemState; why: Why[] };
export type Round = { kind: "round"; solved: boolean; headline: string | null };
export type Machine = { kind: "machine"; state: string; text: string; why: string | null };
export type Ports = { kind: "ports"; ports: number[] };
export type Message = Item | Round | Machine | Ports | { kind: "reset" };
export type Wish = { verify: true } | { answer: { id: string; value: string } };

const FIRST_DELAY = 500;
const LONGEST_DELAY = 8000;

export class Live {
  #address: string;
  #take: (message: Message) => void;
  #link: (offlineSeconds: number | null) => void;
  #socket: WebSocket | null = null;
  #delay = FIRST_DELAY;
  #lastContact = Date.now();
  #waiting: Wish[] = [];

  constructor(
    href: string,
    take: (message: Message) => void,
    link: (offlineSeconds: number | null) => void,
  ) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#address = `${scheme}//${location.host}${href}/checks`;
    this.#take = take;
    this.#link = link;
    this.#connect();
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => this.#hurry());
    setInterval(() => this.#tell(), 1000);
  }

  /** Sends a wish, now or at the next connection. */
  send(wish: Wish): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(wish));
    else this.#waiting.push(wish);
  }

  #connect(): void {
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    socket.onopen = () => {
      this.#delay = FIRST_DELAY;
      this.#link(null);
      for (const wish of this.#waiting.splice(0)) this.send(wish);
    };
    socket.onmessage = (event) => {
      this.#lastContact = Date.now();
      if (typeof event.data === "string") this.#take(JSON.parse(event.data) as Message);
    };
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      const wait = this.#delay * (0.8 + 0.4 * Math.random());
      this.#delay = Math.min(this.#delay * 1.8, LONGEST_DELAY);
      setTimeout(() => this.#hurry(), wait);
    };
  }

  #hurry(): void {
    if (this.#socket === null) this.#connect();
  }

  #tell(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#lastContact = Date.now();
      return;
    }
    const seconds = Math.round((Date.now() - this.#lastContact) / 1000);
    if (seconds >= 2) this.#link(seconds);
  }
}

// The live half of an exercise: check list, questions, hints, state of the machines, reset.

import { hints } from "./checks/hints";
import { List } from "./checks/list";
import { Live, type Wish } from "./checks/live";
import { Machines } from "./checks/machine";
import { Published } from "./checks/published";
import { reset } from "./checks/reset";

const page = document.querySelector<HTMLElement>("[data-exercise]");
if (page) {
  const href = page.dataset["href"] ?? "";
  const hosts = (page.dataset["hosts"] ?? "").split(" ").filter((host) => host !== "");
  const list = new List(page, hosts.length || 1);
  const machines = new Machines();
  // One socket for each machine: its checks, its state, its ports.
  const socket = (host: string | null, place: number): Live => {
    const base = host ? `${href}/hote/${host}` : href;
    const told = (port: number) => list.announce("published.new", { port });
    const published = new Published(base, host, told);
    return new Live(base, (message) => {
      if (message.kind === "machine") {
        machines.show(host, message);
        if (message.state !== "ready") published.show([]);
      } else if (message.kind === "ports") published.show(message.ports);
      else {
        if (message.kind === "reset") published.show([]);
        list.take(message, place);
      }
    }, (seconds) => list.link(seconds));
  };
  const lives = hosts.length === 0 ? [socket(null, 0)] : hosts.map(socket);
  // A machine that has no such question leaves the answer alone.
  const send = (wish: Wish) => lives.forEach((live) => live.send(wish));
  list.onAnswer((id, value) => send({ answer: { id, value } }));
  list.onVerify(() => send({ verify: true }));
  hints(page.dataset["exercise"] ?? "");
  reset(href, () => list.announce("reset.done"));
}

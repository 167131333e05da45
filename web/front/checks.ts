// The live half of an exercise: check list, questions, hints, state of the machine, reset.

import { hints } from "./checks/hints";
import { List } from "./checks/list";
import { Live } from "./checks/live";
import { machine } from "./checks/machine";
import { Published } from "./checks/published";
import { reset } from "./checks/reset";

const page = document.querySelector<HTMLElement>("[data-exercise]");
if (page) {
  const href = page.dataset["href"] ?? "";
  const list = new List(page);
  const published = new Published(href, (port) => list.announce("published.new", { port }));
  const live = new Live(href, (message) => {
    if (message.kind === "machine") {
      machine(message);
      if (message.state !== "ready") published.show([]);
    } else if (message.kind === "ports") published.show(message.ports);
    else {
      if (message.kind === "reset") published.show([]);
      list.take(message);
    }
  }, (seconds) => list.link(seconds));
  list.onAnswer((id, value) => live.send({ answer: { id, value } }));
  list.onVerify(() => live.send({ verify: true }));
  hints(page.dataset["exercise"] ?? "");
  reset(href, () => list.announce("reset.done"));
}

// The right half of an exercise's page: its terminals, and the line that gives them room.

import "./csp";
import "@xterm/xterm/css/xterm.css";
import "./terminal.css";
import { commands } from "./commands";
import { split } from "./split";
import { Tabs } from "./terminal/tabs";

const place = document.getElementById("terminals");
const page = document.querySelector<HTMLElement>("[data-exercise]");
if (place && page) {
  const hosts = (page.dataset["hosts"] ?? "").split(" ").filter((host) => host !== "");
  const tabs = new Tabs(place, page.dataset["exercise"] ?? "", hosts);
  void tabs.start();
  commands(page, (command) => tabs.run(command));
  const splitter = document.getElementById("splitter");
  if (splitter) split(splitter);
}

// "Recommencer": asks first, then the machine starts again; terminals come back by themselves.

import { say } from "../sentences";

export function reset(href: string, done: () => void): void {
  const button = document.querySelector<HTMLButtonElement>(".bar #reset");
  const dialog = document.querySelector<HTMLDialogElement>("dialog#reset-dialog");
  if (!button || !dialog) return;
  const words = button.textContent;
  button.addEventListener("click", () => {
    dialog.returnValue = "";
    dialog.showModal();
  });
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "reset") return;
    button.disabled = true;
    button.textContent = say("reset.running");
    void again(href).then((works) => {
      button.disabled = false;
      button.textContent = works ? words : say("reset.failed");
      if (works) done();
    });
  });
}

async function again(href: string): Promise<boolean> {
  try {
    return (await fetch(`${href}/recommencer`, { method: "POST" })).ok;
  } catch {
    return false;
  }
}

// Asks before several lines are pasted into a shell that would run each at once.

import { element, say } from "../sentences";

/** Shows what would be pasted; calls `paste` if the person agrees. */
export function confirmPaste(text: string, lines: number, paste: () => void): void {
  const dialog = element("dialog", { class: "paste-dialog", "aria-labelledby": "paste-title" });
  const form = element("form", { method: "dialog", class: "dialog-actions" });
  const cancel = element("button", { value: "cancel", class: "button-quiet" }, say("paste.cancel"));
  const confirm = element("button", { value: "paste", class: "button" }, say("paste.confirm"));
  cancel.autofocus = true;
  form.append(cancel, confirm);
  dialog.append(
    element("h2", { id: "paste-title" }, say("paste.title", { lines })),
    element("p", {}, say("paste.why")),
    element("pre", {}, text.slice(0, 2000)),
    form,
  );
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "paste") paste();
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
}

// xterm.js writes style elements and style attributes; the page's policy forbids what is inline.
//
// Style elements get the nonce of this page. Style attributes are written through the object model,
// which the policy allows because no markup can reach it.

const nonce = document.body.dataset["styleNonce"] ?? "";

const create = document.createElement.bind(document);
document.createElement = ((name: string, options?: ElementCreationOptions) => {
  const made = create(name, options);
  if (made instanceof HTMLStyleElement) made.nonce = nonce;
  return made;
}) as typeof document.createElement;

const set = Element.prototype.setAttribute;
Element.prototype.setAttribute = function (name: string, value: string): void {
  if (name === "style" && this instanceof HTMLElement) this.style.cssText = value;
  else set.call(this, name, value);
};

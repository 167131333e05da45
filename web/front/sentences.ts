// The French sentences of the scripts. They come from fr.toml through the page, never from here.

const node = document.getElementById("sentences");
const sentences: Record<string, string> = JSON.parse(node?.textContent || "{}");

/** The sentence `key`, with each `{name}` replaced by its value. */
export function say(key: string, values: Record<string, string | number> = {}): string {
  const sentence = sentences[key] ?? key;
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** An element with its text and attributes, so that no markup is ever built from strings. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  text = "",
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

// Focuses the list of problems, and names what isn't saved yet.
document.getElementById("problem")?.focus();

for (const form of document.querySelectorAll("form[data-guard]")) {
  const output = form.querySelector("[data-unsaved]");
  const before = values(form);
  let saving = false;

  const changed = () => {
    const now = values(form);
    return [...new Set([...now.keys(), ...before.keys()])].filter((name) => now.get(name) !== before.get(name));
  };
  form.addEventListener("input", () => {
    const names = changed().map((name) => labelOf(form, name));
    output.textContent = names.length ? `Unsaved: ${names.join(", ")}` : "";
  });
  form.addEventListener("submit", () => {
    saving = true;
  });
  addEventListener("beforeunload", (event) => {
    if (!saving && changed().length) event.preventDefault();
  });
}

function values(form) {
  const all = new Map();
  for (const [name, value] of new FormData(form)) all.set(name, `${all.get(name) ?? ""}\n${value}`);
  return all;
}

function labelOf(form, name) {
  const field = form.elements[name];
  const labels = field?.labels ?? field?.[0]?.closest("fieldset")?.querySelectorAll("legend");
  return labels?.[0]?.firstChild?.textContent?.trim() || name;
}

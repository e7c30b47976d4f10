// Focuses the list of problems, and names what isn't saved yet.
document.getElementById("problem")?.focus();

for (const form of document.querySelectorAll("form[data-guard]")) {
  const output = form.querySelector("[data-unsaved]");
  const kept = form.dataset.guard === "kept"; // the server shows values that it didn't save
  const before = values(form);
  let saving = false;

  const changed = () => {
    const now = values(form);
    return [...new Set([...now.keys(), ...before.keys()])].filter((name) => now.get(name) !== before.get(name));
  };
  const show = () => {
    const names = changed().map((name) => labelOf(form, name));
    if (output) output.textContent = names.length ? `Unsaved: ${names.join(", ")}` : kept ? "Not saved yet" : "";
  };
  show();
  form.addEventListener("input", show);
  form.addEventListener("submit", () => {
    saving = true;
  });
  addEventListener("beforeunload", (event) => {
    if (!saving && (kept || changed().length)) event.preventDefault();
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

// Buttons that copy a field or a block of code. They are hidden until this module runs.
const status = document.createElement("p");
status.className = "vh";
status.setAttribute("role", "status");
document.body.append(status);

for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;

addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  const label = (button.dataset.label ??= button.textContent);
  button.textContent = (await copy(document.getElementById(button.dataset.copy))) ? "Copied" : "Press Ctrl+C";
  status.textContent = button.textContent;
  setTimeout(() => {
    button.textContent = label;
    status.textContent = "";
  }, 2000);
});

// Without https, browsers offer no clipboard: select the text and use the old command, or let the user press the keys.
async function copy(source) {
  const text = source.value ?? source.textContent;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}

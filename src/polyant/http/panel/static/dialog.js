// Opens a confirmation page's form in a dialog. The link works without this module, too.
for (const link of document.querySelectorAll("a[data-dialog]")) {
  link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    try {
      open(await confirmation(link.href), link);
    } catch {
      location.assign(link.href);
    }
  });
}

async function confirmation(url) {
  const response = await fetch(url);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const found = page.querySelector("[data-confirm]");
  if (!response.ok || !found) throw new Error("not a confirmation page");
  return document.importNode(found, true);
}

function open(content, opener) {
  const dialog = document.createElement("dialog");
  const title = content.querySelector("h1");
  title.id = "dialog-title";
  content.querySelector("form").classList.remove("panel", "danger");
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.append(content);
  document.body.append(dialog);
  const keep = dialog.querySelector("[data-keep]");
  keep.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    opener.focus();
  });
  dialog.showModal();
  keep.focus();
}

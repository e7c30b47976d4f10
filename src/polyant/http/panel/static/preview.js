// Counts characters, and shows the composed prompt while somebody types.
const PAUSE = 600;
const form = document.querySelector("form[data-preview]");
let timer;
let running;

async function refresh() {
  running?.abort();
  running = new AbortController();
  try {
    const body = new URLSearchParams(new FormData(form));
    const response = await fetch(form.dataset.preview, { method: "POST", body, signal: running.signal });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const id of ["preview", "preview-size", "preview-notice"]) {
      const found = page.getElementById(id);
      if (found) document.getElementById(id).textContent = found.textContent;
    }
  } catch {
    // The next change tries again, and the button Preview says what is wrong.
  }
}

form.addEventListener("input", ({ target }) => {
  const count = document.getElementById(`${target.id}-count`);
  const length = target.value.length;
  const all = Number(count?.dataset.count);
  if (count) count.textContent = length ? `${length.toLocaleString("en")} of ${all.toLocaleString("en")}` : "empty";
  clearTimeout(timer);
  timer = setTimeout(refresh, PAUSE);
});
refresh();

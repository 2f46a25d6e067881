// Of every page: the theme, the menu of narrow windows, and keys.
(() => {
  const root = document.documentElement;
  const kept = localStorage.getItem("theme");
  if (kept) root.dataset.theme = kept;

  const dark = () => getComputedStyle(root).colorScheme === "dark"
    || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  window.switchTheme = () => {
    root.dataset.theme = dark() ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  };
  window.toggleMenu = () => {
    const frame = document.querySelector(".frame");
    frame.classList.toggle("open");
    if (frame.classList.contains("open")) frame.querySelector(".side a").focus();
  };

  const pages = { h: "health", d: "data", f: "functions", i: "files", s: "schedules", l: "logs", p: "history", e: "settings" };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    const frame = document.querySelector(".frame");
    if (event.key === "Escape") frame?.classList.remove("open");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]") || document.querySelector(".q-dialog")) return;
    if (Date.now() - going < 1500 && pages[event.key]) location.href = `/${pages[event.key]}`;
    else if (event.key === "g") going = Date.now();
    else if (event.key === "/") {
      const search = document.querySelector(".field.search input, .filters input, main input:not([type=checkbox])");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    } else if (event.key === "?") document.querySelector("#keys")?.click();
  });
  document.addEventListener("click", (event) => {
    const frame = document.querySelector(".frame.open");
    if (frame && !event.target.closest(".side, .bar")) frame.classList.remove("open");
  });
})();

// Sends files one after another; the list shows them as they are stored.
window.uploadFiles = async (chooser) => {
  const state = document.querySelector("#upload-state");
  const say = (text, bad) => {
    state.textContent = text;
    state.className = `note ${bad ? "bad" : ""}`;
  };
  const files = [...chooser.files];
  for (const [index, file] of files.entries()) {
    say(`Uploading ${file.name} (${index + 1} of ${files.length}) …`);
    try {
      const headers = { "Content-Type": file.type || "application/octet-stream" };
      const answer = await fetch("/files/upload", { method: "POST", headers, body: file });
      if (!answer.ok) return say(`${file.name}: ${(await answer.json()).error}`, true);
    } catch (error) {
      return say(`${file.name}: ${error.message}`, true);
    }
  }
  chooser.value = "";
  say(files.length === 1 ? `${files[0].name} is stored.` : `${files.length} files are stored.`);
};

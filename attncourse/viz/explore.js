(() => {
  if (window.attncourseExplore) return;
  window.attncourseExplore = true;
  document.documentElement.classList.add("explore-ready");
  const loaded = new WeakMap();

  function load(box, image) {
    if (!loaded.has(box)) {
      const data = JSON.parse(box.querySelector("script").textContent);
      data.frames = data.frames.map((source) => source || image.src);
      loaded.set(box, data);
    }
    return loaded.get(box);
  }

  document.addEventListener("input", (event) => {
    const box = event.target.closest(".explore");
    if (!box) return;
    const image = box.querySelector("img");
    const { labels, frames, alts } = load(box, image);
    let index = 0;
    box.querySelectorAll(".explore-control").forEach((control, axis) => {
      const input = control.querySelector("input");
      const text = labels[axis][input.value];
      input.setAttribute("aria-valuetext", text);
      control.querySelector("output").textContent = text;
      index = index * labels[axis].length + Number(input.value);
    });
    image.src = frames[index];
    image.alt = alts[index];
  });
})();

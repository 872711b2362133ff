(() => {
  if (window.attncourseExplore) return;
  window.attncourseExplore = true;
  document.documentElement.classList.add("explore-ready");
  const loaded = new WeakMap();

  function load(box, images) {
    if (!loaded.has(box)) {
      const data = JSON.parse(box.querySelector("script").textContent);
      data.frames = [data.light, data.dark].map((sources, theme) =>
        sources.map((source) => source || images[theme].src));
      loaded.set(box, data);
    }
    return loaded.get(box);
  }

  document.addEventListener("input", (event) => {
    const box = event.target.closest(".explore");
    if (!box) return;
    const images = box.querySelectorAll("img");
    const { labels, frames, alts } = load(box, images);
    let index = 0;
    box.querySelectorAll(".explore-control").forEach((control, axis) => {
      const input = control.querySelector("input");
      const text = labels[axis][input.value];
      input.setAttribute("aria-valuetext", text);
      control.querySelector("output").textContent = text;
      index = index * labels[axis].length + Number(input.value);
    });
    images.forEach((image, theme) => {
      image.src = frames[theme][index];
      image.alt = alts[index];
    });
  });
})();

// Figures that open at full size, the section in view, tooltips, print.
"use strict";

(() => {
  const root = document.documentElement;

  // Figures.  Without this script a figure is just there.
  const dialog = document.createElement("dialog");
  dialog.className = "plate-dialog";

  const close = document.createElement("button");
  close.type = "button";
  close.className = "plate-close";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => dialog.replaceChildren());

  const enlarge = (figure) => {
    const caption = figure.querySelector("figcaption");
    const copy = document.createElement("figure");
    copy.tabIndex = 0; // so that keys can scroll it
    for (const image of figure.querySelectorAll(":scope > img")) {
      const large = image.cloneNode();
      large.removeAttribute("style");
      large.style.setProperty("--wide", image.getAttribute("width"));
      large.style.setProperty("--high", image.getAttribute("height"));
      copy.append(large);
    }
    if (caption) {
      const words = caption.cloneNode(true);
      words.removeAttribute("id");
      copy.append(words);
    }
    dialog.ariaLabel = caption?.textContent.trim() || "Figure";
    dialog.replaceChildren(close, copy);
    document.body.append(dialog);
    dialog.showModal();
  };

  for (const figure of document.querySelectorAll("figure.plate")) {
    const images = figure.querySelectorAll(":scope > img");
    if (!images.length) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plate-open";
    button.title = "Enlarge";
    const number = figure.querySelector(".figure-number");
    button.ariaLabel = `Enlarge ${number?.textContent.trim() || "figure"}`;
    button.addEventListener("click", () => enlarge(figure));
    images[images.length - 1].after(button);
    for (const image of images) {
      image.addEventListener("click", () => {
        button.focus();
        enlarge(figure);
      });
    }
    figure.classList.add("plate-opens");
  }

  // The theme marks a section when its heading scrolls through the upper
  // third of the window, so it is wrong after a jump and on the way up.
  const toc = document.querySelector("#pst-page-toc-nav");
  const links = toc ? [...toc.querySelectorAll("a[href^='#']")] : [];
  const target = (link) =>
    document.getElementById(decodeURIComponent(link.hash.slice(1)));
  const entries = links
    .map((link) => [link, target(link)])
    .filter(([, section]) => section);
  if (entries.length) {
    toc.id = "page-toc-nav"; // the theme's own script finds nothing to do

    const current = () => {
      const line = parseFloat(getComputedStyle(root).scrollPaddingTop) || 0;
      let found = null;
      for (const [link, section] of entries) {
        if (section.getBoundingClientRect().top <= line + 8) found = link;
      }
      const end = root.scrollHeight - root.clientHeight - window.scrollY < 2;
      const asked = entries.find(([link]) => link.hash === location.hash);
      if (end && asked) {
        const { top } = asked[1].getBoundingClientRect();
        if (top > line && top < root.clientHeight) found = asked[0];
      }
      return found;
    };

    const mark = () => {
      const found = current();
      for (const [link] of entries) {
        link.classList.toggle("active", link === found);
        if (link === found) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
      for (const entry of toc.querySelectorAll(".toc-entry")) {
        entry.classList.toggle("active", entry.contains(found));
      }
    };

    let waiting = false;
    const soon = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        mark();
      });
    };
    for (const kind of ["scroll", "resize", "hashchange", "load"]) {
      addEventListener(kind, soon, { passive: true });
    }
    mark();
  }

  // Paper is white.
  let theme = root.dataset.theme;
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = theme;
  });

  // Tooltips stand below their link, inside the window; Escape hides them.
  const linkOf = (element) => element.closest?.(".gloss, .cite-link");
  const tipOf = (link) =>
    link?.nextElementSibling?.matches(".tip") ? link.nextElementSibling : null;
  let shown = null;

  const show = (event) => {
    const link = linkOf(event.target);
    const tip = tipOf(link);
    if (!tip || link === shown) return;
    shown = link;
    const box = (tip.offsetParent || document.body).getBoundingClientRect();
    const first = link.getClientRects()[0];
    const most = Math.max(0, box.width - tip.offsetWidth);
    const wish = first.left - box.left;
    tip.style.left = `${Math.min(Math.max(wish, 0), most)}px`;
  };
  const forget = (event) => {
    const link = linkOf(event.target);
    if (!link) return;
    link.classList.remove("tip-off");
    if (link === shown) shown = null;
  };
  addEventListener("pointerover", show);
  addEventListener("focusin", show);
  addEventListener("pointerout", forget);
  addEventListener("focusout", forget);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && shown) shown.classList.add("tip-off");
  });
})();

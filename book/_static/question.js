// Questions to predict: a choice shows its explanation, and is remembered in
// this browser only.
"use strict";

(() => {
  const slot = (box) => `attncourse-question-${box.id}`;

  const recall = (box) => {
    try {
      return localStorage.getItem(slot(box));
    } catch {
      return null; // storage is switched off
    }
  };

  const remember = (box, value) => {
    try {
      localStorage.setItem(slot(box), value);
    } catch {
      // the answer lasts as long as the page
    }
  };

  const reveal = (box, radio) => {
    const answer = box.querySelector(".quiz-answer");
    for (const option of box.querySelectorAll(".quiz-option")) {
      delete option.dataset.verdict;
      const why = box.querySelector(`[data-of="${option.dataset.number}"]`);
      if (why) option.querySelector("details").append(why);
    }
    const option = radio.closest(".quiz-option");
    const why = option.querySelector(".quiz-why");
    why.dataset.of = option.dataset.number;
    option.dataset.verdict =
      why.classList.contains("quiz-right") ? "right" : "wrong";
    answer.replaceChildren(why);
  };

  const prepare = (box) => {
    const answer = box.querySelector(".quiz-answer");
    const radios = [...box.querySelectorAll("input[type=radio]")];
    let arrow = false; // an arrow key looks at an option without choosing it
    const choose = (radio) => {
      reveal(box, radio);
      remember(box, radio.value);
    };
    radios.forEach((radio, number) => {
      radio.closest(".quiz-option").dataset.number = number;
      radio.addEventListener("keydown", (event) => {
        arrow = event.key.startsWith("Arrow");
        const chosen = [" ", "Enter"].includes(event.key);
        if (event.key === "Enter") {
          event.preventDefault();
          radio.checked = true;
        }
        if (chosen && radio.checked) choose(radio);
      });
      radio.addEventListener("pointerdown", () => { arrow = false; });
      radio.addEventListener("keyup", () => { arrow = false; });
      radio.addEventListener("change", () => {
        const answered = box.querySelector("[data-verdict]");
        if (arrow && !answered) {
          answer.textContent = "Press Enter to choose this one.";
        } else {
          choose(radio);
        }
      });
    });
    box.classList.add("ready");
    const kept = recall(box);
    const radio = radios.find((each) => each.value === kept);
    if (radio) {
      radio.checked = true;
      reveal(box, radio);
    }
  };

  document.querySelectorAll("fieldset.quiz").forEach(prepare);
})();

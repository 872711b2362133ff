// What the search shows first: glossary, then sections, pages, then code.
var Scorer = {
  score: ([page, , anchor, description, score]) => {
    if (page === "book/glossary" && anchor.startsWith("#term-")) {
      return score + 100;
    }
    if (page.startsWith("book/api")) return score - 40;
    if (anchor && !description) return score + 40;
    return score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 60,
  partialTitle: 20,
  term: 5,
  partialTerm: 2,
};

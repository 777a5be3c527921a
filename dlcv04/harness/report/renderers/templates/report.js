// Filters, sorting and printing, put on top of pages that are whole without them.
(function () {
  "use strict";
  function id(name) { return document.getElementById(name); }

  function comparisons() {
    var filter = id("filter"), table = id("all-comparisons"), status = id("filter-status");
    if (!filter || !table) { return; }
    filter.hidden = false;
    filter.addEventListener("change", function (event) {
      var wanted = event.target.value, shown = 0;
      table.querySelectorAll("tbody").forEach(function (row) {
        row.hidden = wanted !== "" && row.dataset.verdict !== wanted;
        shown += row.hidden ? 0 : 1;
      });
      table.querySelectorAll("details").forEach(function (one) { one.open = wanted === "NO_BASELINE"; });
      status.textContent = shown + " shown";
    });
  }

  function claims() {
    var filter = id("claim-filter"), list = id("cards"), status = id("claim-status"), none = id("no-card");
    if (!filter || !list) { return; }
    var cards = Array.from(list.children), sort = id("claim-sort"), task = id("claim-task");

    function wantedVerdict() {
      var chosen = filter.querySelector("input:checked");  // none where all claims have the same verdict
      return chosen ? chosen.value : "";
    }

    function show() {
      var verdict = wantedVerdict(), name = task ? task.value : "", shown = 0;
      cards.forEach(function (card) {
        card.hidden = (verdict !== "" && card.dataset.verdicts.split(",").indexOf(verdict) < 0) ||
          (name !== "" && card.dataset.task !== name);
        shown += card.hidden ? 0 : 1;
      });
      none.hidden = shown > 0;
      status.textContent = shown + " of " + cards.length + (cards.length === 1 ? " claim" : " claims") + " shown";
    }

    // The page's own order, worst first, decides between equals.
    function place() {
      var by = sort.value, order = cards.map(function (card, index) { return [card.dataset[by] || "", index]; });
      order.sort(function (a, b) { return (by === "verdict" ? 0 : a[0].localeCompare(b[0])) || a[1] - b[1]; });
      list.append.apply(list, order.map(function (pair) { return cards[pair[1]]; }));
    }

    // A link must lead to its card, whatever is filtered away.
    function reveal() {
      var target = location.hash.length > 1 && id(location.hash.slice(1));
      if (!target || !list.contains(target)) { return; }
      if (target.hidden) {
        filter.querySelectorAll("input[value='']").forEach(function (all) { all.checked = true; });
        if (task) { task.value = ""; }
        show();
      }
      target.querySelector("details").open = true;
      target.scrollIntoView();
    }

    filter.hidden = false;
    filter.addEventListener("change", function (event) {
      if (event.target === sort) { place(); } else { show(); }
    });
    window.addEventListener("hashchange", reveal);
    // A browser that goes back may restore what was chosen.
    window.addEventListener("pageshow", function () { place(); show(); reveal(); });
  }

  // A link into a folded section opens it, and paper shows everything.
  function folds() {
    document.querySelectorAll("nav.sections a").forEach(function (link) {
      link.addEventListener("click", function () {
        var fold = document.querySelector(link.getAttribute("href") + " > .fold");
        if (fold) { fold.open = true; }
      });
    });
    var closed = [];
    window.addEventListener("beforeprint", function () {
      closed = Array.from(document.querySelectorAll("details:not([open])"));
      closed.forEach(function (one) { one.open = true; });
    });
    window.addEventListener("afterprint", function () { closed.forEach(function (one) { one.open = false; }); });
  }

  comparisons();
  claims();
  folds();
})();

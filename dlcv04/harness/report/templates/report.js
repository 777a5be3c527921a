(function () {
  "use strict";
  var filter = document.getElementById("filter");
  var table = document.getElementById("all-comparisons");
  var status = document.getElementById("filter-status");
  if (filter && table) {
    filter.hidden = false;
    filter.addEventListener("change", function (event) {
      var wanted = event.target.value, shown = 0;
      table.querySelectorAll("tbody").forEach(function (row) {
        row.hidden = wanted !== "" && row.dataset.verdict !== wanted;
        shown += row.hidden ? 0 : 1;
      });
      status.textContent = shown + " shown";
    });
  }
})();

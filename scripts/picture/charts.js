// SPDX-License-Identifier: GPL-2.0
// Draws the charts of the page (#charts) by Chart.js; again when the colours change.
"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const drawn = [];
  const marks = ["circle", "rect", "triangle", "rectRot", "crossRot", "star"];
  const dashes = [[], [7, 4], [2, 3], [10, 3, 2, 3], [4, 4], [1, 4]];
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const full = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

  function axis(title, more) {
    return Object.assign({
      title: { display: !!title, text: title, color: colour("--dim"), font: { size: 13 } },
      ticks: { color: colour("--text"), font: { size: 13 } },
      grid: { color: colour("--line") },
    }, more);
  }

  function numbers(chart, title) {
    const ticks = { color: colour("--text"), font: { size: 13 }, maxRotation: 0 };
    if (!chart.log)
      return axis(title, { type: "linear", beginAtZero: true,
        ticks: Object.assign(ticks, { maxTicksLimit: 7, callback: v => short.format(v) }) });
    const most = Math.max(...chart.series.flatMap(s => s.values));
    const said = most > 200 ? /^10*$/ : /^[125]0*$/;
    // from below 1, or the bar of what was met once would have no length
    return axis(title, { type: "logarithmic", min: 0.5,
      ticks: Object.assign(ticks, { autoSkip: false,
        callback: v => said.test(String(v)) ? short.format(v) : null }) });
  }

  function config(chart) {
    const line = chart.type === "line", flat = chart.flat;
    const datasets = chart.series.map((s, n) => {
      const c = colour("--c" + (n % 6 + 1));
      return Object.assign({ label: s.name, data: s.values, borderColor: c }, line ?
        { borderDash: dashes[n % 6], pointStyle: marks[n % 6], pointRadius: 4, borderWidth: 2,
          backgroundColor: c, tension: 0 } :
        { backgroundColor: c + "b0", borderWidth: 1, maxBarThickness: 26, minBarLength: 2 });
    });
    const words = axis(chart.x, line ? {} : { grid: { display: false } });
    words.ticks = Object.assign({}, words.ticks, flat ? { autoSkip: false } : { maxRotation: 60 });
    const values = numbers(chart, chart.y);
    return {
      type: chart.type,
      data: { labels: chart.labels, datasets },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false,
        indexAxis: flat ? "y" : "x",
        interaction: { mode: "index", intersect: false, axis: flat ? "y" : "x" },
        scales: flat ? { x: values, y: words } : { x: words, y: values },
        plugins: {
          legend: { display: chart.legend, position: "bottom",
            labels: { color: colour("--text"), font: { size: 13 }, usePointStyle: line } },
          tooltip: { callbacks: { label: i => i.dataset.label + ": " + full.format(i.raw) } },
        },
      },
    };
  }

  function draw() {
    while (drawn.length) drawn.pop().destroy();
    for (const chart of charts) {
      const canvas = document.getElementById(chart.id);
      canvas.parentElement.style.height = chart.height + "px";
      drawn.push(new Chart(canvas, config(chart)));
    }
  }
  draw();
  document.documentElement.dataset.drawn = drawn.length;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();

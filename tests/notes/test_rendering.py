"""The notes as a reader sees them: KaTeX and MathJax, a real LaTeX, a browser, Typst.

Each test needs a tool and says which one where it is missing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from derivgen.notes import render
from tests.notes.documents import ALL, derived, displays, inlines, notes

pytestmark = pytest.mark.render
STYLES_SHOWN = ("textbook", "nielsen", "ng", "goodfellow", "cs231n", "units")
PERMITTED_OVERFLOW = 10.0  # points; less is not seen in print
KATEX = """
const katex = require("katex");
const formulas = JSON.parse(require("fs").readFileSync(0, "utf8"));
const wrong = [];
for (const [text, displayMode] of formulas) {
  try { katex.renderToString(text, { displayMode, strict: "error", throwOnError: true }); }
  catch (problem) { wrong.push([text, String(problem)]); }
}
console.log(JSON.stringify(wrong));
"""
MATHJAX = """
const formulas = JSON.parse(require("fs").readFileSync(0, "utf8"));
require("mathjax").init({
  loader: { load: ["input/tex-full", "output/svg"] },
  tex: { packages: { "[-]": ["noundefined", "noerrors"] } },
}).then((MathJax) => {
  const adaptor = MathJax.startup.adaptor;
  const wrong = [];
  for (const [text, display] of formulas) {
    try {
      const shown = adaptor.outerHTML(MathJax.tex2svg(text, { display }));
      if (shown.includes("data-mjx-error") || shown.includes("merror")) wrong.push([text, "error"]);
    } catch (problem) { wrong.push([text, String(problem)]); }
  }
  console.log(JSON.stringify(wrong));
});
"""
KEYS = """
<script>
addEventListener("load", () => {
  const stop = document.querySelector('[data-stop="W"]');
  stop.focus();
  const focused = document.querySelectorAll('.eq [data-t="beta"].on').length > 0;
  const press = (key) => stop.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  press("Enter");
  stop.blur();
  const held = document.querySelectorAll('.eq [data-t="beta"].on').length > 0;
  const pressed = stop.getAttribute("aria-pressed");
  press("Escape");
  const left = document.querySelectorAll("[data-t].on").length;
  document.title = `keys ${focused} ${held} ${pressed} ${left}`;
});
</script>
"""
CLICK = """
<script>
addEventListener("load", () => {
  const weight = document.querySelector('.eq [data-t="W"]');
  weight.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  const lit = [...document.querySelectorAll("[data-t].on, [data-t].pick")].map((e) => e.dataset.t);
  const edges = document.querySelectorAll(".edge.on").length;
  document.title = "lit " + [...new Set(lit)].sort().join(" ") + " edges " + edges;
});
</script>
"""


def tool(name: str, advice: str) -> str:
    """Return the path of a program, or skip the test saying how to get it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: {advice}")
    return found


def katex_of(formulas: list[tuple[str, bool]]) -> list[list[str]]:
    """Return the formulas KaTeX refuses in strict mode, with its words."""
    node = tool("node", "install Node.js and `npm install -g katex`")
    done = subprocess.run(
        [node, "-e", KATEX], input=json.dumps(formulas), capture_output=True, text=True
    )
    if "Cannot find module" in done.stderr:
        pytest.skip("KaTeX is not installed: `npm install -g katex`, and set NODE_PATH to it")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def formulas_of(markdown: str) -> list[tuple[str, bool]]:
    return [(f, True) for f in displays(markdown)] + [(f, False) for f in inlines(markdown)]


@pytest.mark.parametrize("style", STYLES_SHOWN)
def test_katex_reads_every_formula_in_strict_mode(style: str) -> None:
    formulas = [f for name in ALL for f in formulas_of(notes(name, "markdown", style))]

    assert katex_of(formulas) == []


def test_mathjax_reads_every_formula_without_fallbacks() -> None:
    node = tool("node", "install Node.js and `npm install -g mathjax@3`")
    formulas = [f for name in ALL for f in formulas_of(notes(name, "markdown"))]

    done = subprocess.run(
        [node, "-e", MATHJAX], input=json.dumps(formulas), capture_output=True, text=True
    )

    if "Cannot find module" in done.stderr:
        pytest.skip("MathJax is not installed: `npm install -g mathjax@3`, and set NODE_PATH")
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("lang", ("en", "zh"))
def test_katex_reads_the_longest_form_in_both_languages(lang: str) -> None:
    texts = [
        render(derived(name), "markdown", lang=lang, detail="full", expand=3, values=1)
        for name in ("softmax_mlp", "mazur", "test attention", "test recurrent")
    ]
    formulas = [f for text in texts for f in formulas_of(text)]

    # CJK stands in \text only, which KaTeX notes by a warning of its own: it is no error here.
    wrong = [w for w in katex_of(formulas) if "unicodeTextInMathMode" in w[1] or lang == "en"]
    assert wrong == []


@pytest.mark.parametrize("name", ALL)
def test_latex_compiles_without_errors_or_wide_boxes(name: str, tmp_path: Path) -> None:
    pdflatex = tool("pdflatex", "install TeX Live with latex-extra and pictures")
    (tmp_path / "notes.tex").write_text(notes(name, "latex"), encoding="utf-8")

    log = typeset(pdflatex, tmp_path)

    assert not re.search(r"^!", log, re.M), log
    assert "undefined references" not in log
    wide = [float(w) for w in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert [w for w in wide if w > PERMITTED_OVERFLOW] == []


@pytest.mark.parametrize("name", ("sigmoid_mlp", "general_mlp", "mazur"))
def test_chinese_latex_compiles(name: str, tmp_path: Path) -> None:
    xelatex = tool("xelatex", "install TeX Live with xetex and lang-chinese")
    (tmp_path / "notes.tex").write_text(notes(name, "latex", lang="zh"), encoding="utf-8")

    log = typeset(xelatex, tmp_path)

    assert not re.search(r"^!", log, re.M), log
    assert "Missing character" not in log


def typeset(program: str, folder: Path) -> str:
    """Run TeX three times, as references and long tables want; return the last log."""
    for _ in range(3):
        subprocess.run(
            [program, "-interaction=nonstopmode", "notes.tex"],
            cwd=folder,
            capture_output=True,
            timeout=120,
        )
    return (folder / "notes.log").read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("name", ("graph", "softmax_mlp"))
def test_xelatex_compiles_without_the_fonts_of_a_full_installation(
    name: str, tmp_path: Path
) -> None:
    xelatex = tool("xelatex", "install TeX Live with xetex")
    (tmp_path / "notes.tex").write_text(notes(name, "latex"), encoding="utf-8")

    log = typeset(xelatex, tmp_path)

    assert not re.search(r"^!", log, re.M), log
    assert "Missing character" not in log
    assert "undefined" not in log


def shown_with(script: str, folder: Path) -> str:
    """Return the page of the classic network after a script has run in a browser."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if chromium is None:
        pytest.skip("Chromium is not installed")
    page = folder / "page.html"
    page.write_text(notes("sigmoid_mlp", "html").replace("</body>", script + "</body>"), "utf-8")
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HOME": str(folder)},
    )
    return done.stdout


def test_a_weight_is_reached_and_held_by_keyboard(tmp_path: Path) -> None:
    assert "<title>keys true true true 0</title>" in shown_with(KEYS, tmp_path)


def test_a_click_on_a_weight_lights_its_chain(tmp_path: Path) -> None:
    shown = shown_with(CLICK, tmp_path)

    found = re.search(r"<title>lit (.*?) edges (\d+)</title>", shown)
    assert found is not None, shown[-2000:]
    assert found[1].split() == ["E", "W", "beta", "yhat"]
    assert int(found[2]) >= 3


def test_the_page_asks_nothing_of_the_network() -> None:
    page = notes("sigmoid_mlp", "html")

    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("name", ALL)
def test_typst_compiles(name: str) -> None:
    typst = pytest.importorskip("typst", reason="typst is not installed: `pip install typst`")

    page = typst.compile(notes(name, "typst").encode(), format="svg")

    assert page


def test_a_semicolon_after_a_link_stays_in_typst() -> None:
    assert re.search(r"\[\(\d+\)\];; the contributions", notes("test tied", "typst"))

"""The page in a browser: under its own policy, in both themes, wide and narrow, by keyboard, by axe-core.

Needs playwright, axe-playwright-python (for the axe-core in it) and a Chromium: CHROMIUM, or chromium on the PATH.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from msgspec.structs import replace
from report import example_run, selftest_example
from report.test_html import BESIDE, EXAMPLES

from crosscheck.report import html, selftest

pytestmark = pytest.mark.browser

# A page of its own.
SELFTEST = "selftest"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
AXE_RUN = "axe.run(document, {resultTypes: ['violations']})"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "no chromium on the PATH: install it or set CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def axe() -> str:
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    for name, example in EXAMPLES.items():
        text = html.render(example, **BESIDE.get(name, {}))
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    (folder / f"{SELFTEST}.html").write_text(selftest.render(selftest_example.FAILED), encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in (*EXAMPLES, SELFTEST)}


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*EXAMPLES, SELFTEST])
def test_nothing_runs_loads_overflows_or_hinders(
    browser: Any, axe: str, pages: dict[str, str], name: str, scheme: str, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: (heard.append("dialog"), dialog.dismiss()))
    page.on("request", lambda request: heard.append(request.url) if request.url != pages[name] else None)
    page.goto(pages[name])
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.evaluate(f"{axe};0")
    found = page.evaluate(AXE_RUN)["violations"]
    context.close()
    assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in found] == []
    assert heard == []


def test_tables_are_sorted_by_keyboard_and_say_so(browser: Any, pages: dict[str, str]) -> None:
    page = browser.new_page()
    page.goto(pages["failing"])
    heading = page.locator("#findings > .scroll th", has_text="Cases")
    cells = page.locator("#findings > .scroll tbody td:nth-of-type(3)")
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert cells.all_inner_texts() == ["1 case", "4 cases", "37 cases"]
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert cells.all_inner_texts() == ["37 cases", "4 cases", "1 case"]
    page.close()


def test_nan_sorts_as_the_worst_and_what_was_not_asked_as_the_least(browser: Any) -> None:
    values = {0.5: None, "nan": -2.0, 3e-9: "-inf", "inf": 1.5}  # the subject's, by error
    first = example_run.GELU.entries[0]
    entries = tuple(replace(first, error=error, values={"subject": value}) for error, value in values.items())
    run = replace(example_run.FAILING.run, findings=(replace(example_run.GELU, entries=entries),))
    page = browser.new_page()
    page.set_content(html.render(replace(example_run.FAILING, run=run)))
    table = page.locator("#finding-1 table.sortable").first
    for name, place, ascending in (
        ("Off by", 3, ["3.0e-09", "5.0e-01", "inf", "nan"]),
        ("subject", 2, ["–", "-inf", "-2", "1.5"]),
    ):
        cells = table.locator(f"tbody td:nth-of-type({place})")
        for expected in (ascending, ascending[::-1]):
            table.get_by_role("button", name=name).click()
            assert [text.removeprefix("✗ ") for text in cells.all_inner_texts()] == expected
    page.close()


def test_a_proved_value_sorts_by_itself_and_not_by_its_radius(browser: Any) -> None:
    first = example_run.GELU.entries[0]
    values = {2.0: 3e-17, 10.0: 1e-20, -1.0: 0.5}  # the ball's, with its radius
    entries = tuple(replace(first, values={"ball": value}, radius=radius) for value, radius in values.items())
    run = replace(example_run.FAILING.run, findings=(replace(example_run.GELU, entries=entries),))
    page = browser.new_page()
    page.set_content(html.render(replace(example_run.FAILING, run=run)))
    table = page.locator("#finding-1 table.sortable").first
    table.get_by_role("button", name="ball").click()
    assert table.locator("tbody td:nth-of-type(2)").all_text_contents() == ["-1 ± 5e-01", "2 ± 3e-17", "10 ± 1e-20"]
    page.close()


def test_the_lines_of_the_taylor_chart_are_told_apart_without_colour(browser: Any, pages: dict[str, str]) -> None:
    page = browser.new_page()
    page.goto(pages["odd"])
    dashes = (
        "[...document.querySelectorAll('#finding-1 .scroll .taylor path[d^=M]')].filter((p) => !p.matches('.grid'))"
    )
    assert page.evaluate(f"{dashes}.map((p) => getComputedStyle(p).strokeDasharray)") == ["5px, 4px", "none"]
    page.close()


def test_tables_are_filtered(browser: Any, pages: dict[str, str]) -> None:
    page = browser.new_page()
    page.goto(pages["failing"])
    page.get_by_label("Filter rows").first.fill("broke")
    assert page.locator("#findings > .scroll tbody tr:visible").count() == 1
    assert page.get_by_role("status").first.inner_text() == "1 of 3"
    page.close()


def test_a_replay_command_is_copied_or_selected(browser: Any, pages: dict[str, str]) -> None:
    page = browser.new_page()
    page.goto(pages["failing"])
    page.locator("#finding-2").get_by_role("button", name="Copy").click()
    page.wait_for_function("document.querySelector('#finding-2 .copy').textContent !== 'Copy'")
    said = page.locator("#finding-2 .copy").inner_text()
    if said == "Selected":
        assert page.evaluate("getSelection().toString()") == "crosscheck replay 5f1c9a"
    else:
        assert said == "Copied"
    page.close()


def test_without_scripts_everything_is_still_there(browser: Any, pages: dict[str, str]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["failing"])
    assert page.get_by_role("heading", level=1).inner_text().startswith("my_net fails in 42")
    assert page.locator("#finding-2 pre").inner_text() == "crosscheck replay 5f1c9a"
    assert page.locator("button").count() == 0
    context.close()


def test_the_policy_holds_against_what_is_put_into_the_page(browser: Any, pages: dict[str, str]) -> None:
    """The checker must fail: a script, a handler and a style that do not belong are refused by the browser."""
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(pages["failing"])
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<p id=p style=\"color:red\" onclick=\"ran=1\">x</p>')"
    )
    page.evaluate("document.head.append(Object.assign(document.createElement('script'), {textContent: 'ran = 1'}))")
    page.locator("#p").click()
    assert page.evaluate("typeof ran") == "undefined"
    assert len(refused) >= 3
    assert all("Content Security Policy" in text for text in refused)
    page.close()


def test_print_opens_what_is_folded(browser: Any, pages: dict[str, str]) -> None:
    page = browser.new_page()
    page.goto(pages["failing"])
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_what_scrolls_says_so_and_the_worst_entries_fit_a_wide_window(
    browser: Any, pages: dict[str, str], width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(pages["failing"])
    page.wait_for_timeout(100)
    at_odds = """[...document.querySelectorAll(".scroll")].filter(
        (one) => one.nextElementSibling.hidden !== one.scrollWidth <= one.clientWidth).length"""
    assert page.evaluate(at_odds) == 0
    fits = "[...document.querySelectorAll('table.worst')].map((t) => t.parentElement).every("
    assert page.evaluate(f"{fits}(one) => one.scrollWidth <= one.clientWidth)") == (width == 1280)
    page.close()

"""The page: nothing in it can run or load but its own script, and everything stands in the HTML itself."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import markupsafe
import msgspec
import pytest
from report import atlas_example, example_run, power_example, selftest_example

from crosscheck.report import html
from crosscheck.report.sections import agreement, chain, coverage, network, resolution, severity
from crosscheck.spec.record import RunFile

EXAMPLES = {
    "passing": example_run.PASSING,
    "failing": example_run.FAILING,
    "forward": example_run.FORWARD,
    "pairwise": example_run.PAIRWISE,
    "odd": example_run.ODD,
    "empty": example_run.EMPTY,
    "hostile": example_run.hostile(),
}
# What stands beside the run, in one of them.
BESIDE = {"odd": {"accuracy": atlas_example.FILE, "power": power_example.FILE, "selftest": selftest_example.FAILED}}
VOID = {"meta", "input", "br", "img", "link", "hr"}
LOADING = {"src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href"}


@dataclass
class Page(HTMLParser):
    """What a browser's parser would see: tags, attributes, and the text of each kind of element."""

    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    declarations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.inside, f"</{tag}> closes nothing"
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts.setdefault(self.inside[-1], []).append(data)

    def handle_comment(self, data: str) -> None:
        self.declarations.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.inside == []
    return page


@pytest.fixture(params=EXAMPLES)
def text(request: pytest.FixtureRequest) -> str:
    return html.render(EXAMPLES[request.param], **BESIDE.get(request.param, {}))


def digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def test_the_policy_allows_the_page_s_own_style_and_script_and_nothing_else(text: str) -> None:
    page = parsed(text)
    assert page.tags.count("style") == page.tags.count("script") == 1
    style, script = "".join(page.texts["style"]), "".join(page.texts["script"])
    assert page.values("content")[0] == (
        f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert "\r" not in text


def test_no_attribute_styles_handles_or_loads(text: str) -> None:
    for tag, name, value in parsed(text).attributes:
        assert name != "style", tag
        assert not name.startswith("on"), tag
        assert name not in LOADING, tag
        assert "javascript:" not in value.lower() or "<script>" in value
        if name == "href":
            assert value.startswith("#"), value
        if "url(" in value:
            assert re.fullmatch(r"url\(#arrow-\d+\)", value)


def test_style_and_script_load_nothing() -> None:
    for name in ("report.css", "report.js"):
        content = html._static(name)
        for word in ("url(", "@import", "http:", "https:", "//cdn", "fetch(", "import(", "innerHTML", "eval(", "</"):
            assert word not in content, (name, word)


def test_hostile_texts_stay_text() -> None:
    calm, bent = parsed(html.render(EXAMPLES["failing"])), parsed(html.render(EXAMPLES["hostile"]))
    assert set(bent.tags) <= set(calm.tags)
    bars = bent.values("class").count("bar")  # each has a <title> of its own
    assert bent.tags.count("script") == bent.tags.count("style") == bent.tags.count("title") - bars == 1
    assert not bent.declarations
    assert "{{ 7*7 }}" in "".join(bent.texts["p"])


@pytest.mark.parametrize("piece", ["<script>alert", "<img", "]]>", "-->", "</title><", "\x1b", "\u202e", '"]]'])
def test_hostile_pieces_do_not_appear_unescaped(piece: str) -> None:
    assert piece not in html.render(EXAMPLES["hostile"])


def test_what_people_read_is_shown_with_its_hostile_part_escaped() -> None:
    text = html.render(EXAMPLES["hostile"])
    escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"
    run = example_run.FAILING.run
    shown = [run.subject, run.profile, run.exit.reason, *(o.name for o in run.oracles), *run.coverage.losses]
    shown += [text for f in run.findings for text in (f.id, f.message, f.replay, *f.diagnosis)]
    shown += [symbol for symbol, _, _ in example_run.GELU.terms] + list(example_run.MEASURED.versions.values())
    for each in shown:
        plain = each.replace(example_run.HOSTILE, "").removeprefix("ruled out: ")
        assert f"{markupsafe.escape(plain)}{escaped}" in text, each


def test_one_record_one_page() -> None:
    for example in EXAMPLES.values():
        assert html.render(example) == html.render(RunFile.from_json(example.to_json()))


def test_the_order_of_keys_does_not_matter() -> None:
    back = msgspec.json.decode(example_run.FAILING.to_json())
    turned = msgspec.convert(_reversed(back), RunFile)
    assert html.render(turned) == html.render(example_run.FAILING)


def _reversed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _reversed(item) for key, item in reversed(value.items())}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


def test_the_headline_says_it_in_words() -> None:
    def headline(name: str) -> str:
        return "".join(parsed(html.render(EXAMPLES[name])).texts["h1"])

    assert headline("failing") == "my_net fails in 42 of 400 architectures: 3 distinct causes."
    assert headline("empty") == "Nothing was verified about my_net: this is no pass (0 architectures drawn)."
    assert headline("passing") == (
        "my_net agrees with ball, jax and differences (not everywhere with torch): 1,204,331 gradient entries "
        "compared over 400 architectures, 81 % of them informative, 100 % certified."
    )


def test_headings_go_down_one_level_at_a_time(text: str) -> None:
    levels = [int(tag[1]) for tag in parsed(text).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_ids_are_unique_and_links_lead_somewhere(text: str) -> None:
    page = parsed(text)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.values("href")} <= set(ids)


def test_a_page_too_large_drops_what_passed_first_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    full = html.render(example_run.FAILING)
    monkeypatch.setattr(html, "MOST_BYTES", len(full.encode()) - 1)
    less = html.render(example_run.FAILING)
    assert "Left out to stay under 5 MB" in less
    assert 'id="coverage"' not in less
    assert all(finding.id in less for finding in example_run.FAILING.run.findings)
    assert "Left out" not in full


def test_a_huge_record_still_gives_a_page_under_the_limit() -> None:
    many = tuple(
        msgspec.structs.replace(example_run.GELU, id=f"{i:06}", first_index=i, message="m" * 3000) for i in range(700)
    )
    run = msgspec.structs.replace(example_run.FAILING.run, findings=many)
    page = html.render(msgspec.structs.replace(example_run.FAILING, run=run))
    assert len(page.encode()) <= html.MOST_BYTES
    assert "400 more findings are in <code>run.json</code>." in page


def test_the_odd_one_out_is_in_every_difference() -> None:
    assert agreement.odd_one_out(example_run.PASSING.run) == "torch"
    assert agreement.odd_one_out(example_run.FAILING.run) == "subject"
    one_pair = msgspec.structs.replace(example_run.PASSING.run, agreement=example_run.PASSING.run.agreement[1:2])
    assert agreement.odd_one_out(one_pair) is None
    assert agreement.odd_one_out(example_run.EMPTY.run) is None


def test_findings_stand_worst_first() -> None:
    assert [f.id for f in severity.worst_first(example_run.FAILING.run)] == ["e99f00", "5f1c9a", "c07d11"]


def test_the_chain_rule_marks_the_first_wrong_factor() -> None:
    found = chain.chain(example_run.GELU)
    assert found is not None
    assert [factor.state for factor in found.factors] == ["right", "first wrong", "right"]
    assert found.spoken == "w 1,1: weight from node 1 to node 1 of layer 2, counted from 1 as the input"


@pytest.mark.parametrize(
    "text",
    [
        "x[2] -> dense(2) -> softmax -> sse",  # each output depends on every z: two factors
        "x[2] -> dense(2) -> sse",
    ],
)
def test_without_an_activation_of_its_own_the_chain_has_two_factors(text: str) -> None:
    found = chain.chain(msgspec.structs.replace(example_run.GELU, architecture=text))
    assert found is not None
    assert len(found.factors) == 2


def test_a_graph_that_branches_has_no_numbered_layers() -> None:
    assert chain.chain(example_run.SKIP) is None


def test_a_diagram_marks_the_culprit_and_draws_every_link() -> None:
    found = network.diagram(example_run.SKIP.architecture, 2)
    assert found is not None
    assert [box.name for box in found.boxes if box.culprit] == ["dense"]
    assert len(found.boxes) == 7
    assert len(found.links) == 7
    assert network.diagram("no network", 0) is None


def test_roles_never_compared_are_marked() -> None:
    covered = coverage.covered(example_run.COVERAGE)
    assert covered.roles == ("bias", "input", "weight")
    kinds = {row.op: [cell.kind for cell in row.cells] for row in covered.ops}
    assert kinds["add"] == ["empty"]
    assert kinds["dense"] == ["count", "count", "count"]


def test_the_histogram_draws_empty_decades_and_keeps_odd_keys() -> None:
    item = msgspec.structs.replace(
        example_run.PASSING.run.resolution[0], histogram={"-3": 1, "-1": 10**6, "exact": 4, "²": 1}
    )
    found = resolution.histogram(item)
    assert [bar.entries for bar in found.bars] == [1, 0, 10**6]
    assert [bar.height > 0 for bar in found.bars] == [True, False, True]
    assert found.others == (("exact", 4), ("²", 1))


def test_a_known_deviation_is_never_called_unrecognised() -> None:
    known = msgspec.structs.replace(example_run.GELU, diagnosis=(), deviation="linear above its threshold of 20")
    run = msgspec.structs.replace(example_run.FAILING.run, findings=(known,))
    page = html.render(msgspec.structs.replace(example_run.FAILING, run=run))
    assert "No known bug" not in page
    assert "not recognised" not in page
    assert '<td class="prose">known deviation</td>' in page
    assert "<strong>Known deviation:</strong> linear above its threshold of 20" in page


def test_one_is_no_plural() -> None:
    gap = msgspec.structs.replace(example_run.PASSING.run.oracles[2], gaps=(("celu", "no rule", 1),))
    run = msgspec.structs.replace(example_run.PASSING.run, oracles=(gap,))
    assert 'no rule <span class="muted">(1 case)</span>' in html.render(
        msgspec.structs.replace(example_run.PASSING, run=run)
    )


@pytest.mark.parametrize(
    ("node", "name", "spoken"),
    [(1, "tanh", "The first wrong term is at node 1, tanh."), (-1, "sse", "The first wrong term is the loss's, sse.")],
)
def test_the_diagram_marks_the_first_wrong_factor_be_it_the_losss(node: int, name: str, spoken: str) -> None:
    found = network.diagram("x[1,4] -> dense(8) -> tanh -> dense(3) -> sse", node)
    assert found is not None
    assert [box.name for box in found.boxes if box.culprit] == [name]
    assert spoken in found.spoken

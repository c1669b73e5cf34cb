"""The pages in a real browser: nothing is loaded, nothing overlaps, nothing runs over the edge."""

import base64
import json
import shutil

import pytest

from makeweight.page import render
from page import examples

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
]
LONG = "a very long group name that goes on, label=<b>&quot;, " * 3
RESULTS = {
    "comparison": examples.comparison,
    "quality": examples.quality,
    "long-names": lambda: _renamed(examples.comparison()),
    "long-columns": lambda: _renamed(examples.quality()),
}
SCREENS = {"desktop": (1280, 800), "phone": (360, 740)}
DARK, LIGHT = "dark", "light"

#: The contrast of every visible text with what is painted behind it.
CONTRAST = """
const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
const linear = v => v <= 10.3 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
const lum = c => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
const found = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const e = walk.currentNode.parentElement;
  if (!walk.currentNode.data.trim() || ['title', 'desc'].includes(e.tagName)) continue;
  if (!e.checkVisibility()) continue;
  const style = getComputedStyle(e), ink = parse(e.ownerSVGElement ? style.fill : style.color);
  let behind = e;
  while (parse(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const paper = parse(getComputedStyle(behind).backgroundColor);
  const [a, b] = [lum(ink), lum(paper)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) found.push([walk.currentNode.data.trim().slice(0, 40), ratio]);
}
return found;
"""
#: Texts of one drawing that lie on each other, and texts that do not lie on the page.
OVERLAPS = """
const found = [];
for (const drawing of document.querySelectorAll('svg[role=img]')) {
  const texts = [...drawing.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
  for (const [i, [a, p]] of texts.entries()) {
    if (p.left < 0 || p.right > innerWidth) found.push(['outside', a]);
    for (const [b, q] of texts.slice(i + 1))
      if (p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 3 && q.top < p.bottom - 3)
        found.push([a, b]);
  }
}
return found;
"""
#: Cells of tables whose content is wider than they are.
CLIPPED = """
return [...document.querySelectorAll('td, th, dd, dt, h1, h2, h3, h4, p, li, summary')]
  .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1)
  .filter(e => !e.querySelector('svg') && !e.closest('.unseen') && getComputedStyle(e).display !== 'inline')
  .map(e => [e.tagName, e.className, e.textContent.trim().slice(0, 40), e.scrollWidth, e.clientWidth]);
"""
PAPER = "return getComputedStyle(document.body).backgroundColor"
OPEN = "document.querySelectorAll('details').forEach(d => d.open = true)"


def _renamed(result):
    for group in result["groups"]:
        group["group"] = LONG + group["group"]
    for risk in result.get("group_risks", ()):
        risk["group"] = LONG + risk["group"]
    for marginal in result.get("marginals", ()):
        marginal["column"], marginal["group"] = "x" * 90 + marginal["column"], LONG
    for arm in result.get("arms", ()):
        arm["label"] = f"{arm['label']}, a path.to.a.very.long.module.with.a.GeneratorOfRows"
    result["data"]["target"] = "\u05d0" * 80
    result["verdict"]["details"] = [LONG, "y" * 300]
    return result


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Return a browser that tells what it loads; skip where there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no chromium with chromedriver; install the packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return the address of every page."""
    folder = tmp_path_factory.mktemp("pages")
    for name, result in RESULTS.items():
        (folder / f"{name}.html").write_text(render(result()), encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in RESULTS}


def show(browser, address, *, screen="desktop", scheme=LIGHT):
    """Open a page and forget what was logged before."""
    width, height = SCREENS[screen]
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": screen == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(address)


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", ["comparison", "quality"])
def test_the_page_as_it_is_opened(browser, pages, name, screen, scheme):
    show(browser, pages[name], screen=screen, scheme=scheme)
    place = browser.execute_script("return document.querySelector('h1').getBoundingClientRect().toJSON()")
    assert 0 <= place["top"] < place["bottom"] <= SCREENS[screen][1]
    assert 0 <= place["left"] < place["right"] <= SCREENS[screen][0]
    dark = browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert dark == (scheme == DARK)
    browser.execute_script(OPEN)
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    asked = [
        one["request"]["url"] for one in sent if one["documentURL"] == pages[name]
    ]  # not what the browser itself asks
    assert pages[name] in asked
    assert all(address == pages[name] or address.startswith("data:") for address in asked)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", RESULTS)
def test_every_figure_has_size_and_no_text_is_lost(browser, pages, name, screen):
    show(browser, pages[name], screen=screen)
    browser.execute_script(OPEN)
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('figure, svg[role=img], svg[class=strip]')]"
        ".map(e => e.getBoundingClientRect()).map(r => [r.width, r.height])"
    )
    assert len(sizes) > 10
    assert min(width for width, _ in sizes) >= 40
    assert min(height for _, height in sizes) >= 14
    assert browser.execute_script("return document.documentElement.scrollWidth") <= SCREENS[screen][0]
    assert browser.execute_script(OVERLAPS) == []
    assert browser.execute_script(CLIPPED) == []


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize("name", ["comparison", "quality"])
def test_every_text_can_be_read(browser, pages, name, scheme):
    show(browser, pages[name], scheme=scheme)
    browser.execute_script(OPEN)
    assert browser.execute_script(CONTRAST) == []


@pytest.mark.parametrize("name", ["comparison", "quality"])
def test_the_keyboard_is_enough(browser, pages, name):
    from selenium.webdriver.common.keys import Keys

    show(browser, pages[name])
    seen = []
    for _ in range(400):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        element = browser.switch_to.active_element
        if element.tag_name == "summary":
            break
        seen.append(element.get_attribute("href") or element.tag_name)
    assert seen[0].endswith("#content")
    assert any(link.endswith("#groups") for link in seen)
    assert element.tag_name == "summary"
    outline = "return getComputedStyle(arguments[0]).outlineStyle"
    assert browser.execute_script(outline, element) == "solid"
    is_open = "return arguments[0].parentElement.open"
    assert not browser.execute_script(is_open, element)
    element.send_keys(Keys.ENTER)
    assert browser.execute_script(is_open, element)


def test_the_place_of_a_check_opens_its_drawer(browser, pages):
    show(browser, pages["quality"] + "#MWQ03")
    assert browser.execute_script("return document.getElementById('MWQ03').checkVisibility()")
    assert browser.execute_script("return document.getElementById('MWQ03').closest('details').open")


@pytest.mark.parametrize("name", ["comparison", "quality"])
def test_it_can_be_printed(browser, pages, name, tmp_path):
    show(browser, pages[name], scheme=DARK)
    paper = {"printBackground": True, "preferCSSPageSize": True, "paperWidth": 8.27, "paperHeight": 11.69}
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", paper)["data"])
    assert printed.startswith(b"%PDF-")
    assert 2 <= printed.count(b"/Type /Page\n") <= 12
    width = {"width": 688, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", width)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 688
    assert browser.execute_script(OVERLAPS) == []


def test_no_script_runs(browser, tmp_path):
    file = tmp_path / "hostile.html"
    result = examples.comparison()
    result["verdict"]["sentence"] = "</h1><script>document.title = 'taken'</script><img src=x onerror=alert(1)>"
    html = render(result)
    # The second has a script that somebody put into the file: the page's own policy forbids it to run.
    for page in (html, html.replace("<h1", "<script>document.title = 'taken'</script><h1", 1)):
        file.write_text(page, encoding="utf-8")
        show(browser, file.as_uri())
        assert browser.title == "Did it help? adult_census.csv"

"""The card of words in a real browser: the map follows the word under the pointer."""

import torch
from test_report_page import painted

import wavelens as wl
from wavelens.reports import Entry, report
from word_pairs import Smooth


def test_the_map_follows_the_word_under_the_pointer_and_the_chosen_one(opened, tmp_path):
    pair, x = Smooth(), torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    method = wl.IntegratedGradients(steps=4)
    both = wl.pairs.both_sides(pair, x, "a dog on grass", domain=wl.DWT("haar", levels=2), method=method)
    page = opened(report(Entry(both.signal, x, name="dog", sides=both), tmp_path / "dog.html"))
    shown, caption = page.locator(".answer-map canvas"), page.locator(".answer-map figcaption")
    assert caption.inner_text() == "where all words are answered"
    assert shown.evaluate("one => one.width === one.height")  # over the picture, not as a course in time
    whole = painted(shown)
    page.locator("button.term").nth(1).hover()
    page.wait_for_function("document.querySelector('.answer-map figcaption').textContent.includes('dog')")
    assert (painted(shown) != whole).any()
    page.locator("button.term").nth(3).click()
    page.mouse.move(1, 1)
    page.wait_for_function("document.querySelector('.answer-map figcaption').textContent.includes('grass')")
    assert page.locator("tr[data-term='3']").get_attribute("class") == "chosen"
    numbers = page.locator("button.term small")
    whole = numbers.all_inner_texts()
    page.locator("[data-part=words]").hover()  # a scale of the text colours its words
    assert numbers.all_inner_texts() != whole
    page.mouse.move(1, 1)
    assert numbers.all_inner_texts() == whole

"""Slides: tables with merged cells, the data of charts, hidden slides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from format_samples import saved

from rag.ingestion.loaders import load_bytes
from rag.types import Document


def read(fill: Callable[[Any, Any], None]) -> Document:
    """Make a presentation of one titled slide and read it."""
    from pptx import Presentation

    made = Presentation()
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "Prices"
    fill(slide, made)
    return load_bytes(saved(made), "talk.pptx")


def chart(kind: str, data: Any, title: str = "") -> Document:
    from pptx.enum.chart import XL_CHART_TYPE

    def fill(slide: Any, made: Any) -> None:
        del made
        added = slide.shapes.add_chart(getattr(XL_CHART_TYPE, kind), 0, 0, 999, 999, data).chart
        if title:
            added.has_title = True
            added.chart_title.text_frame.text = title

    return read(fill)


def test_a_chart_has_its_title_and_all_levels_of_its_categories() -> None:
    from pptx.chart.data import CategoryChartData

    data = CategoryChartData()
    for year, quarters in (("2030", ("Q1", "Q2")), ("2031", ("Q1",))):
        category = data.add_category(year)
        for quarter in quarters:
            category.add_sub_category(quarter)
    data.add_series("Ships", (11, 22, 33))
    data.add_series("Boats", (1, None, 3))
    text = chart("COLUMN_CLUSTERED", data, "Calls a quarter").text
    assert "Calls a quarter\n\n|  | Ships | Boats |" in text
    assert "| 2030 / Q1 | 11 | 1 |\n| 2030 / Q2 | 22 |  |\n| 2031 / Q1 | 33 | 3 |" in text


def test_a_scatter_chart_has_its_x_values() -> None:
    from pptx.chart.data import XyChartData

    data = XyChartData()
    for name, points in (("depth", ((1.5, 7.25), (2.5, 9.75))), ("width", ((2.5, 3),))):
        series = data.add_series(name)
        for point in points:
            series.add_data_point(*point)
    assert (
        "| x | depth | width |\n| --- | --- | --- |\n| 1.5 | 7.25 |  |\n| 2.5 | 9.75 | 3 |"
        in chart("XY_SCATTER", data).text
    )


def test_a_bubble_chart_has_the_sizes() -> None:
    from pptx.chart.data import BubbleChartData

    data = BubbleChartData()
    data.add_series("ports").add_data_point(1, 2, 30)
    assert "| 1 | 2 (size 30) |" in chart("BUBBLE", data).text


def test_the_numbers_of_a_chart_are_shown_by_their_format() -> None:
    from pptx.chart.data import CategoryChartData

    data = CategoryChartData(number_format="0%")
    data.categories = ["May"]
    data.add_series("Share", (0.25,))
    assert "| May | 25% |" in chart("PIE", data).text


def test_merged_cells_of_a_table_are_repeated() -> None:
    def fill(slide: Any, made: Any) -> None:
        del made
        table = slide.shapes.add_table(3, 2, 0, 0, 999, 999).table
        for n, text in enumerate(("Route", "Fare", "Nordby", "41", "", "17")):
            table.cell(n // 2, n % 2).text = text
        table.cell(1, 0).merge(table.cell(2, 0))

    assert "| Route | Fare |\n| --- | --- |\n| Nordby | 41 |\n| Nordby | 17 |" in read(fill).text


def test_a_table_whose_first_row_is_no_header() -> None:
    def fill(slide: Any, made: Any) -> None:
        del made
        table = slide.shapes.add_table(2, 2, 0, 0, 999, 999).table
        table.first_row = False
        for n, text in enumerate(("1", "Ann", "2", "Bob")):
            table.cell(n // 2, n % 2).text = text

    assert "|  |  |\n| --- | --- |\n| 1 | Ann |\n| 2 | Bob |" in read(fill).text


def test_hidden_slides_are_left_out_and_noted() -> None:
    def fill(slide: Any, made: Any) -> None:
        del slide
        other = made.slides.add_slide(made.slide_layouts[5])
        other.shapes.title.text = "Secret"
        other._element.set("show", "0")

    document = read(fill)
    assert "Secret" not in document.text
    assert [(note.kind, note.place) for note in document.notes] == [("hidden_content", "slide 2")]
    assert document.pages == 2

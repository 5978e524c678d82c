"""Laws of the frame every page shares."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def _page() -> None:
    import streamlit as st

    from components import lesson

    projector = lesson.page("toy", "Toy", "Look and press.")
    with lesson.controls():
        st.slider("units", 1, 9, 3, key="toy-units", bind="query-params")
    st.text(f"projector {projector}")
    with lesson.details():
        lesson.problem("No such thing", "Choose another.", "KeyError: 'x'")
    lesson.footer()


def test_projector_mode_is_off_at_first_and_kept_in_the_address():
    at = AppTest.from_function(_page, default_timeout=30).run()
    assert at.text[0].value == "projector False"
    at.query_params["toy-projector"] = "true"
    at = AppTest.from_function(_page, default_timeout=30)
    at.query_params["toy-projector"] = "true"
    at.run()
    assert at.text[0].value == "projector True"
    assert not at.exception


def test_projector_mode_draws_every_widget_so_that_none_loses_its_value():
    at = AppTest.from_function(_page, default_timeout=30)
    at.query_params["toy-projector"] = "true"
    at.query_params["toy-units"] = "7"
    at.run()
    assert at.sidebar.slider[0].value == 7


def test_a_problem_names_what_happened_and_hides_the_words_of_the_library():
    at = AppTest.from_function(_page, default_timeout=30).run()
    assert at.error[0].value == "Choose another."
    assert at.expander[0].code[0].value == "KeyError: 'x'"


def test_parameters_dragged_along_from_another_page_are_dropped():
    def page(name: str) -> None:
        import streamlit as st

        from components import address, lesson

        lesson.page(name, name)
        st.text(address.value("hide", "none"))
        lesson.footer()

    at = AppTest.from_function(page, default_timeout=30, kwargs={"name": "one"})
    at.query_params["hide"] = "lr"
    at.run()
    assert at.text[0].value == "lr"
    assert at.run().text[0].value == "lr"
    at.kwargs = {"name": "two"}
    assert at.run().text[0].value == "none"
    assert "hide" not in at.query_params

"""Gradients as students write them: right ones pass, wrong ones do not, mistakes are named."""

from __future__ import annotations

import pytest

from derivgen.check import check_gradient
from tests.check.students import MISTAKES, STUDENTS


@pytest.mark.parametrize("student", STUDENTS.values(), ids=STUDENTS.keys())
def test_a_right_gradient_of_a_student_passes(student):
    report = check_gradient(*student())

    assert report.verdict == "pass", report


@pytest.mark.parametrize(("name", "mistake", "part", "words"), MISTAKES)
def test_a_mistake_of_a_student_is_found_and_named(name, mistake, part, words):
    report = check_gradient(*STUDENTS[name](mistake))

    assert report.verdict == "fail"
    assert report.parameters[part].verdict == "fail"
    assert words in report.parameters[part].mistake
    assert bool(words) == bool(report.parameters[part].mistake)


def test_what_is_right_is_told_where_nothing_explains_the_rest():
    report = check_gradient(*STUDENTS["dense"]("no slope"))

    assert "The gradients of W2, b2 are right, those of W1, b1 are not" in str(report)

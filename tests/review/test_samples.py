from tests.review.samples import BLOCKED, NOTHING, PASSED, UNREVIEWED, large


def test_the_samples_have_each_verdict() -> None:
    assert [each.exit_code for each in (PASSED, NOTHING, BLOCKED, UNREVIEWED)] == [0, 0, 1, 2]
    assert len(large(7).findings) == 7

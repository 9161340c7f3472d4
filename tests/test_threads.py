"""Jobs on several threads."""

import threading

import numpy as np
import pytest

from numpyvae.threads import sharing


@pytest.mark.parametrize("n", [1, 2, 5])
def test_results_come_in_the_order_of_the_jobs(n):
    with sharing(n) as share:
        for count in (1, 3, 17):
            assert share([lambda i=i: i * i for i in range(count)]) == [i * i for i in range(count)]


def test_jobs_are_done_at_once_and_the_calling_thread_does_one():
    meeting = threading.Barrier(3, timeout=10)

    def job():
        meeting.wait()
        return threading.current_thread()

    with sharing(3) as share:
        assert len({*(done := share([job] * 3))}) == 3
        assert done[0] is threading.current_thread()
    assert not any(thread.is_alive() for thread in done[1:])


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("wrong", [0, 1])
def test_what_a_job_raises_is_raised(n, wrong):
    def job(i):
        if i == wrong:
            raise ZeroDivisionError(i)

    with sharing(n) as share, pytest.raises(ZeroDivisionError):
        share([lambda i=i: job(i) for i in range(3)])


@pytest.mark.parametrize("n", [1, 2])
def test_jobs_heed_what_the_caller_asks_of_numpy(n):
    jobs = [lambda: np.float32(1e38) * np.float32(1e38)] * 2
    with sharing(n) as share:
        with np.errstate(over="ignore"):
            assert share(jobs) == [np.inf] * 2
        with np.errstate(over="raise"), pytest.raises(FloatingPointError):
            share(jobs)

"""Hand-written pairs: the numbered cases of docs/reference/semantics.md as programs that both worlds run.

Each function gives a program and what has to come of it, in both worlds: {name: (state, outcome)}, with a third value for
the cancelling count where the case is about it. The traces are compared in full besides.
"""

import sys
from typing import Any, Dict, List, Tuple

from program import (
    AsCompleted,
    Cancel,
    Gather,
    Program,
    Promise,
    SetException,
    SetResult,
    Shield,
    Submit,
    Wait,
    WaitFor,
)

Case = Tuple[Program, Dict[str, Any]]

HOUR = {"op": "sleep", "seconds": 3600.0}
NAP = {"op": "sleep", "seconds": 20.000001}
LATER_NAP = {"op": "sleep", "seconds": 20.000002}
ERROR = {"op": "record", "what": "error"}
CANCELLING = {"op": "record", "what": "cancelling"}


def try_(body: List[Any], caught: List[Any], catch: str = "cancelled") -> Dict[str, Any]:
    return {"op": "try", "body": body, "catch": catch, "except": caught}


def await_(name: str, into: str = "v") -> Dict[str, Any]:
    return {"op": "await", "id": name, "as": into}


def result(name: str) -> Dict[str, Any]:
    return {"op": "record", "what": "result", "of": name}


def cancel_self(message: str = "") -> Dict[str, Any]:
    return {"op": "cancel", "id": "self", "message": message, "as": "k"}


def cancelled(message: str) -> Dict[str, Any]:
    return {"kind": "CANCELLED", "type": "CancelledError", "message": message}


def boom(message: str) -> Dict[str, Any]:
    return {"kind": "APPLICATION", "type": "Boom", "message": message}


TIMED_OUT = {"kind": "TIMED_OUT", "type": "TimeoutError", "cause": "CancelledError"}


# --- Future and task ------------------------------------------------------------------------------------------------


def test_what_is_done_is_not_settled_again() -> Case:  # semantics 2
    steps = [Promise(1, "p"), SetResult(2, "p", 1), SetResult(3, "p", 2), SetException(4, "p", "Boom", "")]
    return Program(steps), {"p": ("SUCCEEDED", 1), "answers": [None, None, "invalid state", "invalid state"]}


def test_a_cancelled_promise_raises_cancelled_with_its_message() -> Case:  # semantics 3, 5, 8
    steps = [Promise(1, "p"), Submit(2, "t", [try_([await_("p")], [ERROR])]), Cancel(3, "p", "enough")]
    return Program(steps), {"p": ("CANCELLED", "enough"), "t": ("SUCCEEDED", [cancelled("enough")])}


def test_cancelling_what_is_done_answers_false() -> Case:  # semantics 4
    steps = [Promise(1, "p"), SetResult(2, "p", 1), Cancel(3, "p", "late")]
    return Program(steps), {"p": ("SUCCEEDED", 1), "answers": [None, None, False]}


def test_a_body_may_take_its_time_to_end() -> Case:  # semantics 5
    steps = [Submit(1, "t", [try_([HOUR], [NAP, {"op": "raise_cancelled", "message": "at last"}])]), Cancel(2, "t", "m")]
    return Program(steps), {"t": ("CANCELLED", "at last", 1)}


def test_a_body_may_suppress_the_cancel() -> Case:  # semantics 6
    steps = [Submit(1, "t", [{"op": "swallow_cancel", "body": [HOUR]}, {"op": "return", "value": 1}]), Cancel(2, "t", "")]
    return Program(steps), {"t": ("SUCCEEDED", 1, 1)}


def test_what_is_cancelled_before_it_starts_never_runs() -> Case:  # semantics 7
    steps = [Submit(1, "t", [{"op": "swallow_cancel", "body": [NAP]}], "no"), Promise(2, "p")]
    return Program(steps), {"t": ("CANCELLED", "no")}


def test_the_message_of_a_cancel_reaches_the_body_and_who_awaits_it() -> Case:  # semantics 8
    inner = Submit(1, "t", [try_([HOUR], [ERROR, {"op": "raise_cancelled", "message": "passed on"}])])
    steps = [inner, Submit(2, "outer", [try_([await_("t")], [ERROR])]), Cancel(3, "t", "why")]
    return Program(steps), {"t": ("CANCELLED", "passed on"), "outer": ("SUCCEEDED", [cancelled("passed on")])}


def test_each_cancel_counts_and_uncancel_takes_one_away() -> Case:  # semantics 9
    uncancel = {"op": "uncancel", "as": "u"}
    swallow = {"op": "swallow_cancel", "body": [HOUR]}
    body = [swallow, swallow, CANCELLING, uncancel, uncancel, uncancel, result("u"), CANCELLING]
    return Program([Submit(1, "t", body), Cancel(2, "t", ""), Cancel(3, "t", "")]), {"t": ("SUCCEEDED", [2, 0, 0], 0)}


def test_uncancel_withdraws_what_was_not_delivered() -> Case:  # semantics 10
    body = [cancel_self(), CANCELLING, {"op": "uncancel", "as": "u"}, NAP, CANCELLING]
    return Program([Submit(1, "t", body)]), {"t": ("SUCCEEDED", [1, 0], 0)}


def test_a_cancel_that_was_not_delivered_ends_the_body_that_returns() -> Case:  # semantics 9, 10
    return Program([Submit(1, "t", [cancel_self("m"), {"op": "return", "value": 1}])]), {"t": ("CANCELLED", "m", 1)}


def test_a_body_that_raises_cancelled_ends_cancelled() -> Case:  # semantics 11
    return Program([Submit(1, "t", [{"op": "raise_cancelled", "message": "mine"}])]), {"t": ("CANCELLED", "mine", 0)}


def test_cancelling_a_task_cancels_what_it_awaits() -> Case:  # semantics 12
    steps = [Promise(1, "p"), Submit(2, "t", [await_("p")]), Cancel(3, "t", "down")]
    return Program(steps), {"p": ("CANCELLED", "down"), "t": ("CANCELLED", "down", 1)}


def test_what_the_awaited_makes_of_a_cancel_is_what_the_awaiter_gets() -> Case:  # semantics 6, 12
    inner = Submit(1, "inner", [{"op": "swallow_cancel", "body": [HOUR]}, {"op": "return", "value": 7}])
    steps = [inner, Submit(2, "outer", [await_("inner"), result("v")]), Cancel(3, "outer", "")]
    return Program(steps), {"inner": ("SUCCEEDED", 7, 1), "outer": ("SUCCEEDED", [7], 1)}


# --- wait -----------------------------------------------------------------------------------------------------------


def test_duplicates_collapse() -> Case:  # semantics 26
    steps = [Promise(1, "p"), Wait(2, "w", ("p", "p"), None, "ALL_COMPLETED"), SetResult(3, "p", 1)]
    return Program(steps), {"w gave": (["p"], [])}


def test_a_timeout_reports_and_cancels_nothing() -> Case:  # semantics 27
    steps = [Promise(1, "p"), Wait(2, "w", ("p",), 20.000001, "ALL_COMPLETED"), SetResult(5, "p", 1)]
    return Program(steps), {"w gave": ([], ["p"]), "p": ("SUCCEEDED", 1)}


def test_a_timeout_of_zero_polls() -> Case:  # semantics 28
    steps = [Promise(1, "p"), Promise(2, "q"), SetResult(3, "p", 1), Wait(4, "w", ("p", "q"), 0.0, "ALL_COMPLETED")]
    return Program(steps), {"w gave": (["p"], ["q"])}


def test_first_completed_reports_all_that_are_done() -> Case:  # semantics 29
    steps = [
        *(Promise(at, name) for at, name in enumerate("pqr", 1)),
        SetResult(4, "p", 1),
        SetResult(5, "q", 1),
        Wait(6, "w", ("p", "q", "r"), None, "FIRST_COMPLETED"),
    ]
    return Program(steps), {"w gave": (["p", "q"], ["r"])}


def test_a_cancelled_member_satisfies_first_completed() -> Case:  # semantics 30
    steps = [Promise(1, "p"), Promise(2, "q"), Wait(3, "w", ("p", "q"), None, "FIRST_COMPLETED"), Cancel(4, "p", "")]
    return Program(steps), {"w gave": (["p"], ["q"])}


def test_first_exception_takes_no_notice_of_the_cancelled() -> Case:  # semantics 31
    steps = [
        *(Promise(at, name) for at, name in enumerate("pqr", 1)),
        Wait(4, "w", ("p", "q", "r"), None, "FIRST_EXCEPTION"),
        Cancel(5, "p", ""),
        SetException(6, "q", "Boom", ""),
    ]
    return Program(steps), {"w gave": (["p", "q"], ["r"])}


def test_first_exception_without_one_waits_for_all() -> Case:  # semantics 32
    steps = [
        Promise(1, "p"),
        Promise(2, "q"),
        Wait(3, "w", ("p", "q"), None, "FIRST_EXCEPTION"),
        SetResult(4, "p", 1),
        SetResult(5, "q", 1),
    ]
    return Program(steps), {"w gave": (["p", "q"], [])}


def test_a_member_that_has_failed_ends_it_at_once() -> Case:  # semantics 33, 34
    steps = [
        Promise(1, "p"),
        Promise(2, "q"),
        SetException(3, "p", "Boom", "m"),
        Wait(4, "w", ("p", "q"), None, "FIRST_EXCEPTION"),
    ]
    return Program(steps), {"w gave": (["p"], ["q"]), "w": ("SUCCEEDED", None), "p": ("FAILED", boom("m"))}


def test_cancelling_a_wait_leaves_its_members() -> Case:  # semantics 35, 36
    steps = [Promise(1, "p"), Wait(2, "w", ("p",), None, "ALL_COMPLETED"), Cancel(3, "w", ""), SetResult(4, "p", 1)]
    return Program(steps), {"w": ("CANCELLED", ""), "p": ("SUCCEEDED", 1)}


# --- as_completed ---------------------------------------------------------------------------------------------------


def test_they_come_in_the_order_of_completion() -> Case:  # semantics 38, 39
    steps = [
        *(Promise(at, name) for at, name in enumerate("pqr", 1)),
        AsCompleted(4, "c", ("p", "q", "r", "p"), None),
        *(SetResult(at, name, at) for at, name in enumerate("rpq", 5)),
    ]
    return Program(steps), {"c gave": (["r", "p", "q"], [])}


def test_one_deadline_for_all_that_cancels_nothing() -> Case:  # semantics 40, 41
    steps = [
        Promise(1, "p"),
        Promise(2, "q"),
        AsCompleted(3, "c", ("p", "q"), 40.000001),
        SetResult(4, "p", 1),
        SetResult(7, "q", 1),
    ]
    outcome = {"kind": "TIMED_OUT", "type": "TimeoutError"}
    return Program(steps), {"c gave": (["p"], []), "c": ("FAILED", outcome), "q": ("SUCCEEDED", 1)}


# --- gather ---------------------------------------------------------------------------------------------------------


def both(name: str, of: Tuple[str, ...], return_exceptions: bool = False, at: int = 3) -> List[Gather]:
    """A gather of the client's and one of the server's."""
    return [Gather(at, name, of, return_exceptions, False), Gather(at + 1, f"{name}_there", of, return_exceptions, True)]


def test_of_nothing_it_is_an_empty_list() -> Case:  # semantics 43
    return Program([Promise(1, "p"), *both("g", ())]), {"g": ("SUCCEEDED", []), "g_there": ("SUCCEEDED", [])}


def test_results_are_in_the_order_of_the_input() -> Case:  # semantics 44, 45
    steps = [Promise(1, "p"), Promise(2, "q"), *both("g", ("p", "q", "p")), SetResult(5, "q", 2), SetResult(6, "p", 1)]
    return Program(steps), {"g": ("SUCCEEDED", [1, 2, 1]), "g_there": ("SUCCEEDED", [1, 2, 1])}


def test_a_duplicate_is_cancelled_twice() -> Case:  # semantics 45, 49
    steps = [Submit(1, "t", [HOUR]), Gather(2, "g", ("t", "t"), False, True), Cancel(3, "g", "m")]
    return Program(steps), {"t": ("CANCELLED", "m", 2), "g": ("FAILED", cancelled("m"))}


def test_the_first_exception_comes_through_and_siblings_go_on() -> Case:  # semantics 46
    steps = [Promise(1, "p"), Promise(2, "q"), *both("g", ("p", "q")), SetException(5, "p", "Boom", "m"), SetResult(6, "q", 1)]
    return Program(steps), {"g": ("FAILED", boom("m")), "g_there": ("FAILED", boom("m")), "q": ("SUCCEEDED", 1)}


def test_exceptions_and_cancellations_are_values() -> Case:  # semantics 47
    steps = [Promise(1, "p"), Promise(2, "q"), *both("g", ("p", "q"), True), SetException(5, "p", "Boom", "m"), Cancel(6, "q", "c")]
    values = [{"raised": boom("m")}, {"raised": cancelled("c")}]
    return Program(steps), {"g": ("SUCCEEDED", values), "g_there": ("SUCCEEDED", values)}


def test_a_cancelled_child_is_an_error_and_no_cancellation() -> Case:  # semantics 48
    steps = [Promise(1, "p"), Promise(2, "q"), *both("g", ("p", "q")), Cancel(5, "p", "c"), SetResult(6, "q", 1)]
    return Program(steps), {"g": ("FAILED", cancelled("c")), "g_there": ("FAILED", cancelled("c")), "q": ("SUCCEEDED", 1)}


def test_cancelling_it_cancels_every_child() -> Case:  # semantics 49, 50
    steps = [
        Submit(1, "t", [HOUR]),
        Submit(2, "u", [HOUR]),
        Gather(3, "g", ("t",), True, False),
        Gather(4, "h", ("u",), True, True),
        Cancel(5, "g", "m"),
        Cancel(6, "h", "n"),
    ]
    ends = {"t": ("CANCELLED", "m", 1), "u": ("CANCELLED", "n", 1)}
    return Program(steps), {**ends, "g": ("FAILED", cancelled("m")), "h": ("FAILED", cancelled("n"))}


def test_the_message_is_that_of_the_last_in_the_input() -> Case:  # semantics 50
    last = [try_([HOUR], [{"op": "raise_cancelled", "message": "the last one's"}])]
    steps = [
        slow_to_end("t", 1),
        Submit(2, "u", last),
        Gather(3, "g", ("t", "u"), True, False),
        slow_to_end("v", 4),
        Submit(5, "w", last),
        Gather(6, "h", ("v", "w"), True, True),
        Cancel(7, "g", "m"),
        Promise(9, "p"),
        Cancel(10, "h", "n"),
    ]
    error = cancelled("the last one's")
    return Program(steps), {"t": ("CANCELLED", "now"), "g": ("FAILED", error), "h": ("FAILED", error)}


def test_cancelling_what_has_failed_touches_nobody() -> Case:  # semantics 51
    steps = [
        *(Promise(at, name) for at, name in enumerate("pq", 1)),
        *both("g", ("p", "q")),
        SetException(5, "p", "Boom", ""),
        Cancel(6, "g", ""),
        Cancel(7, "g_there", ""),
        SetResult(8, "q", 1),
    ]
    return Program(steps), {"q": ("SUCCEEDED", 1), "answers": [None] * 5 + [False, False, None]}


# --- shield, wait_for and timeouts ------------------------------------------------------------------------------------


def test_cancelling_a_shield_leaves_the_inner() -> Case:  # semantics 53
    steps = [Promise(1, "p"), Shield(2, "s", "p", False), Shield(3, "r", "p", True), Cancel(4, "s", "m"), Cancel(5, "r", "n")]
    ends = {"s": ("CANCELLED", "m"), "r": ("CANCELLED", "n"), "p": ("SUCCEEDED", 1)}
    return Program([*steps, SetResult(6, "p", 1)]), ends


def test_a_cancelled_inner_cancels_the_shield_without_its_message() -> Case:  # semantics 54
    steps = [Promise(1, "p"), Shield(2, "s", "p", False), Shield(3, "r", "p", True), Cancel(4, "p", "m")]
    return Program(steps), {"s": ("CANCELLED", ""), "r": ("CANCELLED", "")}


def test_a_shield_of_what_is_done() -> Case:  # semantics 55
    steps = [Promise(1, "p"), SetResult(2, "p", 1), Shield(3, "s", "p", False), Shield(4, "r", "p", True)]
    return Program(steps), {"s": ("SUCCEEDED", 1), "r": ("SUCCEEDED", 1)}


def slow_to_end(name: str, at: int) -> Submit:
    return Submit(at, name, [try_([HOUR], [LATER_NAP, {"op": "raise_cancelled", "message": "now"}])])


def test_when_time_is_up_it_waits_for_the_cancellation() -> Case:  # semantics 56, 57
    steps = [slow_to_end("t", 1), WaitFor(2, "f", "t", 20.000001, False), WaitFor(3, "g", "t", None, True)]
    return Program(steps), {"f": ("FAILED", TIMED_OUT), "t": ("CANCELLED", "now", 1), "g": ("CANCELLED", "now")}


def test_the_servers_waits_too() -> Case:  # semantics 56, 57
    steps = [slow_to_end("t", 1), WaitFor(2, "f", "t", 20.000001, True)]
    return Program(steps), {"f": ("FAILED", TIMED_OUT), "t": ("CANCELLED", "now", 1)}


def waits(at: int, of: str, other: str, timeout: float) -> List[WaitFor]:
    return [WaitFor(at, "f", of, timeout, False), WaitFor(at + 1, "g", other, timeout + 1e-6, True)]


def test_a_suppressed_cancel_gives_its_value() -> Case:  # semantics 58
    body = [{"op": "swallow_cancel", "body": [HOUR]}, {"op": "return", "value": 5}]
    steps = [Submit(1, "t", body), Submit(2, "u", body), *waits(3, "t", "u", 20.000001)]
    return Program(steps), {"f": ("SUCCEEDED", 5), "g": ("SUCCEEDED", 5)}


def test_an_exception_takes_the_place_of_the_timeout() -> Case:  # semantics 59
    body = [try_([HOUR], [{"op": "raise", "type": "Boom", "message": "x"}])]
    steps = [Submit(1, "t", body), Submit(2, "u", body), *waits(3, "t", "u", 20.000001)]
    return Program(steps), {"f": ("FAILED", boom("x")), "g": ("FAILED", boom("x"))}


def test_a_timeout_of_zero_gives_what_is_done() -> Case:  # semantics 60
    steps = [
        Promise(1, "p"),
        SetResult(2, "p", 1),
        Promise(3, "q"),
        WaitFor(4, "f", "p", 0.0, False),
        WaitFor(5, "g", "p", -1.0, True),
        WaitFor(6, "h", "q", 0.0, False),
    ]
    ends = {"f": ("SUCCEEDED", 1), "g": ("SUCCEEDED", 1), "h": ("FAILED", TIMED_OUT), "q": ("CANCELLED", "")}
    return Program(steps), ends


def test_no_timeout_is_no_bound() -> Case:  # semantics 61
    steps = [Promise(1, "p"), WaitFor(2, "f", "p", None, False), WaitFor(3, "g", "p", None, True), SetResult(100, "p", 1)]
    return Program(steps), {"f": ("SUCCEEDED", 1), "g": ("SUCCEEDED", 1)}


def test_cancelling_wait_for_cancels_the_inner() -> Case:  # semantics 62
    steps = [
        Submit(1, "t", [HOUR]),
        Submit(2, "u", [{"op": "swallow_cancel", "body": [HOUR]}, {"op": "return", "value": 1}]),
        WaitFor(3, "f", "t", 2000.000001, False),
        WaitFor(4, "g", "u", 2000.000002, False),
        Cancel(5, "f", "m"),
        Cancel(6, "g", "n"),
    ]
    ends = {"t": ("CANCELLED", "m", 1), "f": ("CANCELLED", "m")}
    return Program(steps), {**ends, "u": ("SUCCEEDED", 1, 1), "g": ("SUCCEEDED", 1)}


def test_a_timeout_turns_only_its_own_cancel() -> Case:  # semantics 63
    steps = [slow_to_end("t", 1), WaitFor(2, "f", "t", 20.000001, False), Cancel(4, "f", "from outside"), Promise(9, "p")]
    return Program(steps), {"f": ("CANCELLED", "from outside"), "t": ("CANCELLED", "from outside", 2)}


def test_of_nested_timeouts_the_right_one_fires() -> Case:  # semantics 64
    inner = {"op": "wait_for", "id": "p", "timeout_seconds": 20.000001, "as": "inner"}
    outer = {"op": "wait_for", "id": "inner", "timeout_seconds": 40.000002, "as": "outer"}
    body = [inner, outer, try_([await_("outer")], [ERROR, CANCELLING], "error")]
    late_inner = {"op": "wait_for", "id": "q", "timeout_seconds": 40.000004, "as": "inner"}
    early_outer = {"op": "wait_for", "id": "inner", "timeout_seconds": 20.000008, "as": "outer"}
    other = [late_inner, early_outer, try_([await_("outer")], [ERROR, CANCELLING], "error")]
    steps = [Promise(1, "p"), Promise(2, "q"), Submit(3, "t", body), Submit(6, "u", other)]
    return Program(steps), {"t": ("SUCCEEDED", [TIMED_OUT, 0], 0), "u": ("SUCCEEDED", [TIMED_OUT, 0], 0)}


# Before 3.13 an uncancel withdrew nothing.
NEED_3_13 = {test_uncancel_withdraws_what_was_not_delivered} if sys.version_info < (3, 13) else set()
ALL_CASES = [made for name, made in list(globals().items()) if name.startswith("test_") and made not in NEED_3_13]

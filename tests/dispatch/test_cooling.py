"""A refused Task rests for longer each time, the place that refused it does not."""

from alchemiscale_lake.dispatch.cooling import Cooling, PlaceRefusal


def rest_s(cooling: Cooling, name: str) -> float:
    return cooling.until_s[name]


def test_each_refusal_doubles_the_rest_of_the_task_up_to_an_hour() -> None:
    cooling, rests = Cooling(), []
    for _ in range(12):
        cooling = cooling.after([PlaceRefusal("host", "task")], 0.0)
        rests.append(rest_s(cooling, "task"))

    assert rests[1] == 2 * rests[0]
    assert rests[2] == 4 * rests[0]
    assert rests[-1] == rests[-2] == 3600.0
    assert rest_s(cooling, "host") == rests[0]


def test_a_refusal_that_is_not_counted_does_not_lengthen_the_next_rest() -> None:
    first = Cooling().after([PlaceRefusal("host", "task")], 0.0)

    later = first.after([PlaceRefusal("host", "task", is_counted=False)], 0.0).after(
        [PlaceRefusal("host", "task")], 0.0
    )

    assert rest_s(later, "task") == 2 * rest_s(first, "task")


def test_names_are_avoided_until_their_rest_is_over() -> None:
    cooling = Cooling().after([PlaceRefusal("host", "task")], 100.0)
    end_s = rest_s(cooling, "task")

    assert cooling.active(end_s - 1) == {"host", "task"}
    assert cooling.active(end_s) == frozenset()
    assert cooling.after([], end_s).until_s == {}


def test_refusals_seen_by_others_count() -> None:
    own = Cooling().after([PlaceRefusal("host", "task")] * 3, 0.0)

    recalled = Cooling.recalled({"task": (3, 30.0), "ahead": (1, -50.0)}, 30.0)

    assert rest_s(recalled, "task") == rest_s(own, "task")
    assert rest_s(recalled, "ahead") > 30.0
    assert rest_s(recalled.after([PlaceRefusal("host", "task")], 0.0), "task") == 2 * rest_s(own, "task")

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from classifyd.sources.folder.candidates import Candidates
from classifyd.sources.folder.files import Fingerprint
from classifyd.sources.folder.readiness import Patience, Readiness

PATIENCE = Patience(1.0, 60.0)
names = st.sampled_from("abcd")


class CandidatesAgainstAModel(RuleBasedStateMachine):
    """The queue against a plain dictionary: whatever happens, a file is offered once it is due, and once."""

    def __init__(self) -> None:
        super().__init__()
        self.candidates = Candidates(PATIENCE, limit=3)
        self.known: dict[str, Readiness] = {}
        self.not_before: dict[str, float] = {}
        self.now = 0.0

    @rule(pause=st.floats(0.0, 50.0))
    def wait(self, pause: float) -> None:
        self.now += pause

    @rule(name=names, size=st.integers(0, 2), closed=st.booleans())
    def see(self, name: str, size: int, closed: bool) -> None:
        seen = Fingerprint(size, 0, 0)
        known = self.known.get(name)
        if known and known.seen != seen:
            self.not_before.pop(name, None)
        self.known[name] = (
            known.observe(seen, self.now, closed) if known else Readiness(seen, self.now, closed)
        )
        self.candidates.saw(name, seen, self.now, closed)

    @rule(name=names)
    def drop(self, name: str) -> None:
        self.known.pop(name, None)
        self.not_before.pop(name, None)
        self.candidates.drop(name)

    @rule(action=st.sampled_from(["retry", "postpone", "incomplete", "drop"]))
    def work_off(self, action: str) -> None:
        offered = []
        for name, readiness in self.candidates.due(self.now):
            assert readiness == self.known[name]
            offered.append(name)
            if action == "postpone":
                self.not_before[name] = self.now + 7.0
                self.candidates.postpone(name, self.now + 7.0)
            elif action == "incomplete":
                self.known[name] = readiness.found_incomplete()
                self.candidates.found_incomplete(name)
                if self.moment(name) <= self.now:
                    break
            elif action == "retry":
                self.candidates.retry(name)
                break
            else:
                self.drop(name)
        assert len(offered) == len(set(offered))

    def moment(self, name: str) -> float:
        return max(self.known[name].due(PATIENCE), self.not_before.get(name, 0.0))

    @invariant()
    def the_next_is_the_first_that_is_due(self) -> None:
        assert self.candidates.next_due() == min(map(self.moment, self.known), default=None)

    @invariant()
    def all_are_remembered(self) -> None:
        assert len(self.candidates) == len(self.known)
        assert all(name in self.candidates for name in self.known)
        assert self.candidates.full == (len(self.known) - len(self.not_before) >= 3)


TestCandidates = CandidatesAgainstAModel.TestCase


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_files_are_offered_in_the_order_in_which_they_became_due(moments: list[int]) -> None:
    candidates = Candidates(PATIENCE, 100)
    for number, moment in enumerate(moments):
        candidates.saw(str(number), Fingerprint(1, 1, 1), moment)
    offered = []
    for name, _ in candidates.due(1000.0):
        offered.append(moments[int(name)])
        candidates.drop(name)
    assert offered == sorted(moments)

"""Asks a model about a batch and finds out whose fault a failure is: a picture's, or the model's."""

from collections.abc import Callable, Iterator, Sequence

from classifyd.core.control import CONTROL
from classifyd.core.errors import ClassifierError, Failed, Oversized, Refused, Unavailable
from classifyd.core.ports import Classifier
from classifyd.core.values import Image, Outcome, Reason, Rejected

Verdict = Outcome | Failed | Unavailable


class Trial:
    """Bisects failing batches down to single pictures, and confronts those with the control picture.

    `too_large(n)` is called when a batch was refused but both of its halves, of `n` pictures at most, were
    accepted whole: then its size was what the model refused.
    """

    def __init__(self, classifier: Classifier, too_large: Callable[[int], None]) -> None:
        self._classifier = classifier
        self._too_large = too_large

    def verdicts(self, images: Sequence[Image]) -> Iterator[tuple[int, Verdict]]:
        """For each image its index and what was found: an outcome, or an error where the model fails on it
        alone (Failed, or Unavailable where it does not answer for it in time) and on no other picture.

        Raises Unavailable as soon as the model turns out to be away or misconfigured; what was yielded by
        then stands.
        """
        for index, verdict, _whole in self._ask(images, 0):
            yield index, verdict

    def check(self) -> None:
        """Asks for the control picture. Raises Unavailable when the model does not answer for it."""
        try:
            answer = self._classifier.classify([CONTROL])[0]
        except (Refused, Failed) as error:
            raise Unavailable(f"it does not accept even a valid control picture: {error}") from error
        if isinstance(answer, ClassifierError):
            raise Unavailable(f"it fails even on a valid control picture: {answer}") from answer
        if isinstance(answer, Rejected):
            raise Unavailable(f"it does not accept even a valid control picture: {answer.detail}")

    def _ask(self, images: Sequence[Image], first: int) -> Iterator[tuple[int, Verdict, bool]]:
        """Yields index, verdict, and whether the verdict came from a request accepted as it was."""
        try:
            answers = self._classifier.classify(images)
        except ClassifierError as error:
            if len(images) == 1:
                yield first, self._confront(error), False
            elif isinstance(error, Unavailable):
                raise
            else:
                yield from self._halve(images, first, error)
            return
        for index, (image, answer) in enumerate(zip(images, answers, strict=True), first):
            if not isinstance(answer, ClassifierError):
                yield index, answer, True
            elif len(images) == 1:
                yield index, self._confront(answer), False
            else:
                yield from self._ask([image], index)

    def _halve(
        self, images: Sequence[Image], first: int, error: ClassifierError
    ) -> Iterator[tuple[int, Verdict, bool]]:
        middle = (len(images) + 1) // 2
        all_whole = True
        for half, start in ((images[:middle], first), (images[middle:], first + middle)):
            for index, verdict, whole in self._ask(half, start):
                all_whole = all_whole and whole
                yield index, verdict, False
        if all_whole and isinstance(error, Refused):
            self._too_large(middle)

    def _confront(self, error: ClassifierError) -> Verdict:
        """Judges a picture that was sent alone: it is to blame only if the control picture passes now."""
        self.check()
        if isinstance(error, Oversized):
            return Unavailable(str(error))
        if isinstance(error, Refused):
            return Rejected(Reason.REFUSED_BY_MODEL, f"the model refuses this picture: {error}")
        return error if isinstance(error, Failed | Unavailable) else Failed(str(error))

"""A transcript that leaves some messages out of the hash: the mistake each absorption is there to prevent."""

from circuits.octet.spec.transcript import Transcript


class FrozenTranscript(Transcript):
    """As the real one, but the named messages move the state without going into it."""

    frozen = frozenset()

    def absorb(self, label, words):
        """Forget the words of a frozen message: its challenge is known before it is sent."""
        return self.squeeze(label) if label in self.frozen else super().absorb(label, words)


def forgetting(*labels):
    """A class of transcripts that forget these messages."""
    return type("Forgetting", (FrozenTranscript,), {"frozen": frozenset(labels)})

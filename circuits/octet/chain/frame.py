"""The frame: where a verifier on chain keeps points, challenges and messages while a plan runs.

    F + 0    8 words of the contract's own         F + 104  products of eq(tau_j, rho_j), 33 words
    F + 8    tau, 32 words                         F + 137  products of eq(rho_j, sigma_j), 33 words
    F + 40   rho                                   F + 170  the parts whose lengths are the program's
    F + 72   sigma

F is the number of the key's words: the frame follows the key. In front of the messages EV and FINALS one word
is left free, and four in front of the outputs, so that the contract hashes each of them where it lies.
"""

from circuits.octet.chain.instructions import Section, Slot
from circuits.octet.input_words import word_layout
from circuits.octet.program import Program
from circuits.octet.spec.logup import balances, row_constraints
from circuits.octet.spec.wiring import elsewhere_columns, slots
from zkml.errors import UnsuitableCircuitError

POINT_WORDS = 32
"""Coordinates that a point has room for."""

TAU = Slot(Section.FRAME, 8)
RHO = TAU + POINT_WORDS
SIGMA = RHO + POINT_WORDS
EQ_TAU_RHO = SIGMA + POINT_WORDS
EQ_RHO_SIGMA = EQ_TAU_RHO + (POINT_WORDS + 1)
_VARIABLE = EQ_RHO_SIGMA + (POINT_WORDS + 1)

MAX_SLOTS = 1 << 16
"""What an operand of two bytes can name."""

OUTPUTS_HEAD = 4
"""Words in front of the outputs: tag, digest, context, hash of the input words."""


class Frame:
    """The slots of one program's frame.

    Attributes:
        powers: powers of lambda: constraints, balances, relations.
        claims: words of message EV.
        elsewhere: columns with claims at other points than rho, in the order of FINALS from place 1.
        lambda_: slot of the powers of lambda; `ev`, `mu`, `finals`, `queries`, `out` and `words` are those of
            the messages and tensors of their names.
        relations: slot of the first relation's power of lambda.
    """

    def __init__(self, program: Program) -> None:
        """Lay out the frame of a program."""
        before = len(row_constraints(program)) + len(balances(program))
        self.powers = before + len(program.relations)
        self.claims = len(slots(program))
        self.elsewhere = elsewhere_columns(program)
        self._next = _VARIABLE
        self.lambda_ = self.allocate(self.powers)
        self.relations = self.lambda_ + before
        self.ev = self.allocate(1 + self.claims) + 1
        self.mu = self.allocate(self.claims)
        self.finals = self.allocate(2 + len(self.elsewhere)) + 1
        self.query_words = 2 * len(program.tables)
        self.queries = self.allocate(self.query_words)
        self.outputs = sum(output.count for output in program.outputs)
        self.out = self.allocate(OUTPUTS_HEAD + self.outputs) + OUTPUTS_HEAD
        self.input_words = sum(word_layout(given).count for given in program.inputs)
        self.words = self.allocate(self.input_words)

    def allocate(self, words: int) -> Slot:
        """Take the next words of the frame.

        Raises:
            UnsuitableCircuitError: no instruction could name them all. A stranger's program must not get
                further: what is taken is mostly filled by as many instructions.
        """
        taken = self._next
        self._next = self._next + words
        if self.size > MAX_SLOTS:
            raise UnsuitableCircuitError(
                f"expected a frame of at most {MAX_SLOTS} words, found {self.size}",
                hint="the model is too large for verification on a chain; split it or shrink its tensors",
            )
        return taken

    @property
    def size(self) -> int:
        """Words taken so far."""
        return self._next.index

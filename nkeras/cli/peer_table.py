"""What was measured in nkeras and its peers, as text: a line for each row, and what failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nkeras.cli.peers import Bar, Measured, Row


def duration(seconds: float) -> str:
    """A time with three digits."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def speed(row: Row, seconds: float) -> str:
    """A time, or where the row says what is done in it, samples or operations per second."""
    if row.samples:
        return f"{row.samples / seconds:,.0f}/s"
    if row.flops:
        return f"{duration(seconds)} {row.flops / seconds / 1e9:.0f}GF"
    return duration(seconds)


class Table:
    """Lines of fixed columns, so that each can be printed when it is done.

    Args:
        names: the frameworks, nkeras first.
        rows: all rows, which tell the width of the first column.
        value: how a cell shows a row's value.
    """

    def __init__(
        self,
        names: Sequence[str],
        rows: Sequence[Row],
        value: Callable[[Row, float], str] = speed,
    ) -> None:
        self.names = list(names)
        self.value = value
        self.first = max([len(row.name) for row in rows] + [3])
        own = 18 if any(row.flops for row in rows) else 12
        self.widths = [own if name == "nkeras" else max(own + 8, len(name)) for name in self.names]

    def head(self) -> str:
        """The columns' names."""
        cells = [n.rjust(width) for n, width in zip(self.names, self.widths, strict=True)]
        return "  ".join(["row".ljust(self.first), *cells, "   best", " bar"]).rstrip()

    def line(self, measured: Measured) -> str:
        """One row: each value, a peer's ratio in brackets, the least ratio, the bars."""
        cells = [
            self._cell(measured, name).rjust(width)
            for name, width in zip(self.names, self.widths, strict=True)
        ]
        fastest = measured.fastest() if "nkeras" in measured.rounds else None
        best = "" if fastest is None else f"{measured.ratio(fastest):.2f}x"
        bars = "; ".join(bar_text(measured, bar) for bar in measured.row.bars)
        first = measured.row.name.ljust(self.first)
        return "  ".join([first, *cells, best.rjust(7), f" {bars}"]).rstrip()

    def _cell(self, measured: Measured, name: str) -> str:
        if name in measured.failed:
            return "failed"
        if name not in measured.rounds:
            return "-"
        text = self.value(measured.row, measured.median(name))
        if name == "nkeras" or "nkeras" not in measured.rounds:
            return text
        mark = "!" if name in measured.differing() else ""
        return f"{text}{mark} ({measured.ratio(name):.2f}x)"


def bar_text(measured: Measured, bar: Bar) -> str:
    """A bar and whether it is met."""
    met = measured.met(bar)
    said = "not compared" if met is None else "met" if met else "missed"
    wanted = [] if bar.at_most is None else [bar.name]
    if bar.ratio is not None:
        against = f" to {'/'.join(bar.against)}" if bar.against else ""
        wanted.insert(0, f"{bar.ratio:g}{against}")
    return f"{' or '.join(wanted)} {said}"


def remarks(results: Sequence[Measured]) -> list[str]:
    """What failed, where results differ, and how many bars are met."""
    lines = []
    for result in results:
        lines += [f"{result.row.name}: {name} failed: {why}" for name, why in result.failed.items()]
        if differing := result.differing():
            lines.append(f"{result.row.name}: other results (!) in {', '.join(differing)}")
    verdicts = [result.met(bar) for result in results for bar in result.row.bars]
    if verdicts:
        missed = verdicts.count(False) + verdicts.count(None)
        lines.append(f"Bars: {verdicts.count(True)} met, {missed} missed or not compared.")
    lines.append("In brackets: the peer's time divided by nkeras'; best: to the fastest peer.")
    return lines

"""The tables that are printed."""

import math


def number(value):
    """With three significant digits at least."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(0, digits)}f}"


def judged(verdict):
    return f"{verdict['at_most']:g} {'pass' if verdict['held'] else 'MISS'}"


def columns(figure, results, judgements):
    """A column with the medians and ranges of one figure; one with cora's ratios, where it helps; and one with
    what these may be at most, beside the peer, or the figure itself, beside cora. Of one of several ways it is
    beside that."""
    summaries = {peer: figures.get(figure.key) for peer, figures in results.items()}
    medians = {peer: number(each["median"]) for peer, each in summaries.items() if each}
    width = max(map(len, medians.values()))
    yield [figure.title] + [f"{medians[peer]:>{width}} ({number(each['min'])}..{number(each['max'])})" if each else ""
                            for peer, each in summaries.items()]
    cora = summaries.get("cora")
    if figure.compared and cora:
        yield ["cora/peer"] + [f"{number(cora['median'] / each['median']):>9}" if each and peer != "cora" else ""
                               for peer, each in summaries.items()]
    limits = {each["times"] or "cora" if each["of"] == "cora" else each["of"]: judged(each)
              for each in judgements if each["key"] == figure.key}
    if limits:
        yield ["at most"] + [limits.get(peer, "") for peer in summaries]


def print_columns(table):
    widths = [max(map(len, column)) for column in table]
    for line in zip(*table):
        print("  " + "   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def print_row(row, results, judgements):
    table = [["", *results]]
    for figure in row.figures:
        if any(figure.key in figures for figures in results.values()):
            table += columns(figure, results, judgements)
    print_columns(table)


def print_growth(results, marks):
    counts = sorted({count for by_count in results.values() for count in by_count})
    print_columns([["tasks", *(f"{count:,}" for count in counts)],
                   *([peer, *(f"{number(each['median'])} ({number(each['min'])}..{number(each['max'])})"
                              if (each := by_count.get(count)) else "" for count in counts)]
                     for peer, by_count in results.items())])
    if marks:
        print(f"  cora's fit into {', '.join(f'{name} up to {tasks:,}' for tasks, name in marks)}")


def print_verdicts(verdicts, not_judged):
    """What came of the limits, [(row, verdict)], and how many could not be judged for want of a peer."""
    missed = [(name, each) for name, each in verdicts if not each["held"]]
    print(f"\n{len(verdicts) - len(missed)} limits held, {len(missed)} missed"
          f"{f', {not_judged} without their peer' if not_judged else ''}")
    for name, each in missed:
        times = f" x {each['times']}" if each["times"] else ""
        of = f" {each['of']}" if each["of"] != "cora" else ""
        print(f"  {name}{of} {each['key']}: {each['got']:.4g}{times}, at most {each['at_most']:g}")

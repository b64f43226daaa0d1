"""Charts, drawn by gnuplot."""

import subprocess

COLOURS = {"cora": "0x2a6fdb", "floor": "0x2f9e44"}
OTHERS = ("0xe8590c", "0x9c36b5", "0x495057", "0xf08c00", "0xc2255c")


def gnuplot(script, directory):
    subprocess.run(["gnuplot"], input="\n".join(script), text=True, check=True, cwd=directory, timeout=60)


def bars(name, title, figures, results, number, directory):
    """The medians of each figure with their ranges, one panel a figure."""
    figures = [figure for figure in figures if any(figure.key in taken for taken in results.values())]
    wide = len(results) > 7  # there is no room for their names side by side
    width, height = 120 + 440 * len(figures), 460 if wide else 360
    script = [f"set terminal svg size {width},{height} font 'sans,12' background 'white'",
              f"set output '{name}.svg'",
              f"set multiplot layout 1,{len(figures)} title '{name}: {title}'",
              "set style fill solid 0.8 noborder; set boxwidth 0.6; set grid y; unset key",
              f"set border 3; set xtics nomirror {'rotate by 45 right' if wide else ''}; set ytics nomirror"]
    for figure in figures:
        summaries = {peer: taken[figure.key] for peer, taken in results.items() if figure.key in taken}
        low = min(each["min"] for each in summaries.values())
        high = max(each["max"] for each in summaries.values())
        logarithmic = high > 20 * low > 0
        if logarithmic:
            script.append(f"set logscale y; set yrange [{low / 2}:{high * 3}]")
        else:
            script.append(f"unset logscale y; set yrange [{min(0, low * 1.2)}:{high * 1.2 or 1}]")
        script += ["$bars << END",
                   *(f"\"{peer}\" {each['median']} {each['min']} {each['max']} {number(each['median'])} "
                     f"{COLOURS['cora'] if peer.startswith('cora') else '0x9aa5b1'}"
                     for peer, each in summaries.items()),
                   "END",
                   f"set title '{figure.title}{' (logarithmic)' if logarithmic else ''}'",
                   "plot $bars using 0:2:6:xticlabels(1) with boxes linecolor rgb variable, "
                   "'' using 0:3:(0):($4-$3) with vectors heads size 0.06,90 linecolor 'black', "
                   "'' using 0:4:5 with labels offset 0,0.8"]
    gnuplot(script, directory)


def lines(name, title, unit, results, marks, directory):
    """One line a peer over the number of tasks, both logarithmic; `marks` are (number, label) of vertical lines."""
    colours = iter(OTHERS)
    script = ["set terminal svg size 760,480 font 'sans,12' background 'white'",
              f"set output '{name}.svg'",
              f"set title '{name}: {title}'",
              f"set logscale xy; set grid; set key outside right; set xlabel 'tasks'; set ylabel '{unit}'",
              "set format x '%.0f'; set xrange [0.7:1.5e6]; set border 3; set xtics nomirror; set ytics nomirror"]
    for count, label in marks:
        script += [f"set arrow from {count}, graph 0 to {count}, graph 1 nohead dashtype 2 linecolor rgb 0xadb5bd",
                   f"set label '{label}' at {count}, graph 0.97 rotate by 90 right offset -0.7,0 "
                   "textcolor rgb 0x868e96"]
    plots = []
    for i, (peer, by_count) in enumerate(results.items()):
        script += [f"$line{i} << END",
                   *(f"{count} {each['median']} {each['min']} {each['max']}" for count, each in by_count.items()),
                   "END"]
        colour = COLOURS.get(peer) or next(colours)
        plots.append(f"$line{i} using 1:2:3:4 with yerrorlines pointtype 7 pointsize 0.5 linecolor rgb {colour} "
                     f"title '{peer}'")
    gnuplot([*script, f"plot {', '.join(plots)}"], directory)

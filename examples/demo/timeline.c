/*
 * timeline.c: at the top a bar for each way, all on one time scale; below a panel for each way,
 * on a scale of its own, with a row for each file.
 */
#include "timeline.h"

#include "svg.h"
#include "verdict.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char style[] =
    "text { font-family: 'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif; fill: #24292f; }\n"
    ".title { font-size: 22px; font-weight: bold; }\n"
    ".heading { font-size: 14px; font-weight: bold; }\n"
    ".text { font-size: 12px; }\n"
    ".note { font-size: 11px; fill: #6a737d; }\n"
    ".page { fill: #ffffff; }\n"
    ".plot { fill: #f6f8fa; }\n"
    ".grid { stroke: #d8dee4; stroke-width: 1; }\n"
    ".bar { fill: #57606a; }\n"
    ".queued { fill: #dfe4ea; }\n"
    ".waiting { fill: #f4b942; }\n"
    ".running { fill: #1d4e89; }\n"
    ".failed { fill: #d1242f; }\n";

enum {
    MARGIN = 36,
    PANEL_WIDTH = 620,
    PANEL_GAP = 40,
    LABEL_WIDTH = 150,   /* the files' names, at the left of a panel */
    HEAD_HEIGHT = 104,   /* title and legend */
    BAR_HEIGHT = 26,     /* of a way's bar at the top, with the space around it */
    HEADING_HEIGHT = 30, /* above the rows of a panel */
    AXIS_HEIGHT = 62,    /* below them, with the space to the next panel */
    ROWS_HEIGHT = 600,   /* what the rows of a panel share, if there are enough of them */
    WIDTH = 2 * MARGIN + 2 * PANEL_WIDTH + PANEL_GAP,
};

/* Where time is on the paper. */
struct scale {
    double origin, length; /* in seconds */
    double x, width;       /* in pixels */
};

static double place(const struct scale *scale, double time)
{
    return scale->x + (time - scale->origin) / scale->length * scale->width;
}

static double wall_time(const struct run *run)
{
    return fmax(run->report->end - run->report->start, 1e-6);
}

static double row_height(size_t count)
{
    return fmax(1, fmin(14, (double)ROWS_HEIGHT / (double)count));
}

/* ---- the time axis ------------------------------------------------------------------------- */

/* A round step, 1, 2 or 5 times a power of ten, of which `length` has four to ten. */
static double tick_step(double length)
{
    double step = pow(10, floor(log10(length)));

    if (length / step < 2)
        return step / 5;
    return length / step < 4 ? step / 2 : step;
}

static void draw_axis(FILE *file, const struct scale *scale, double top, double bottom)
{
    double step = tick_step(scale->length);
    bool in_seconds = scale->length >= 1;

    for (int i = 0; i * step <= scale->length; i++) {
        double x = place(scale, scale->origin + i * step);

        svg_vertical(file, "grid", x, top, bottom + 4);
        svg_text(file, "note", SVG_MIDDLE, x, bottom + 17, in_seconds ? "%g s" : "%g ms",
                 in_seconds ? i * step : i * step * 1e3);
    }
}

/* ---- the head ------------------------------------------------------------------------------ */

static void draw_legend(FILE *file, double x, double y)
{
    static const struct {
        const char *class, *text;
    } entries[] = {
        {"queued", "waits for its turn"},
        {"waiting", "waits for the network"},
        {"running", "runs"},
        {"failed", "has failed"},
    };

    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        svg_rect(file, entries[i].class, x, y - 11, 22, 13);
        svg_text(file, "text", SVG_START, x + 30, y, "%s", entries[i].text);
        x += 60 + 7.5 * (double)strlen(entries[i].text);
    }
}

static void draw_head(FILE *file, size_t count)
{
    svg_text(file, "title", SVG_START, MARGIN, MARGIN + 18,
             "%zu file%s, four ways: who waits, who runs", count, count == 1 ? "" : "s");
    draw_legend(file, MARGIN, MARGIN + 52);
}

/* All ways on one scale, that of the slowest. */
static void draw_overview(FILE *file, const struct run runs[], size_t run_count)
{
    struct scale scale = {.x = MARGIN + 200, .width = WIDTH - 2 * MARGIN - 200 - 140};
    double bottom = HEAD_HEIGHT + (double)run_count * BAR_HEIGHT;

    for (size_t i = 0; i < run_count; i++)
        scale.length = fmax(scale.length, wall_time(&runs[i]));
    draw_axis(file, &scale, HEAD_HEIGHT, bottom);
    for (size_t i = 0; i < run_count; i++) {
        double y = HEAD_HEIGHT + (double)i * BAR_HEIGHT;
        double end = place(&scale, wall_time(&runs[i]));

        svg_text(file, "text", SVG_START, MARGIN, y + 17, "%s", runs[i].name);
        svg_rect(file, "bar", scale.x, y + 5, end - scale.x, BAR_HEIGHT - 10);
        if (!runs[i].report->ended)
            svg_text(file, "text", SVG_START, end + 8, y + 17, "did not end");
        else if (!runs[0].report->ended)
            svg_text(file, "text", SVG_START, end + 8, y + 17, "%.3f s", wall_time(&runs[i]));
        else
            svg_text(file, "text", SVG_START, end + 8, y + 17, "%.3f s (%.1fx)",
                     wall_time(&runs[i]), wall_time(&runs[0]) / wall_time(&runs[i]));
    }
}

/* ---- a panel ------------------------------------------------------------------------------- */

/* The end of the path is what tells files apart. */
static void draw_label(FILE *file, const struct url *url, double x, double y)
{
    enum { LONGEST = 24 };
    const char *name = url->target + (url->target[1] != '\0');
    size_t length = strlen(name);

    if (length > LONGEST)
        svg_text(file, "label", SVG_END, x, y, "...%s", name + length - LONGEST + 3);
    else
        svg_text(file, "label", SVG_END, x, y, "%s", name);
}

/* The spans of one state. Running ones are short: they get a width that can be seen. */
static void draw_spans(FILE *file, const struct trace *trace, enum trace_state state,
                       const struct scale *scale, double y, double height)
{
    static const char *const classes[] = {"queued", "waiting", "running"};
    double least = state == TRACE_RUNNING ? 1 : 0;

    for (size_t i = 0; i < trace->count; i++) {
        double x = place(scale, trace->spans[i].start);
        double width = place(scale, trace_span_end(trace, i)) - x;

        if (trace->spans[i].state == state && (width > 0.1 || least > 0))
            svg_rect(file, classes[state], x, y, fmax(width, least), height);
    }
}

static double total(const struct trace *trace, enum trace_state state)
{
    double sum = 0;

    for (size_t i = 0; i < trace->count; i++)
        if (trace->spans[i].state == state)
            sum += trace_span_end(trace, i) - trace->spans[i].start;
    return sum;
}

static void draw_row(FILE *file, const struct outcome *outcome, const struct url *url,
                     const struct scale *scale, double y, double height)
{
    const struct trace *trace = &outcome->trace;
    double thickness = height > 3 ? height - 1 : height;

    svg_begin_group(file, "%s: in the queue %.1f ms, waiting %.1f ms, running %.1f ms%s%s",
                    url->text, total(trace, TRACE_QUEUED) * 1e3, total(trace, TRACE_WAITING) * 1e3,
                    total(trace, TRACE_RUNNING) * 1e3,
                    outcome->reason[0] != '\0' ? "; failed: " : "", outcome->reason);
    for (int state = TRACE_QUEUED; state <= TRACE_RUNNING; state++)
        draw_spans(file, trace, (enum trace_state)state, scale, y, thickness);
    if (outcome->reason[0] != '\0')
        svg_rect(file, "failed", fmin(place(scale, trace->end), scale->x + scale->width - 5), y, 5,
                 thickness);
    if (height >= 6)
        draw_label(file, url, scale->x - 6, y + 0.8 * height);
    svg_end_group(file);
}

static void draw_panel(FILE *file, const struct run *run, const struct file files[], double x,
                       double y)
{
    const struct report *report = run->report;
    double height = row_height(run->count);
    double top = y + HEADING_HEIGHT, bottom = top + height * (double)run->count;
    struct scale scale = {
        .origin = report->start,
        .length = wall_time(run),
        .x = x + LABEL_WIDTH,
        .width = PANEL_WIDTH - LABEL_WIDTH - 8,
    };

    if (!report->ended) {
        svg_text(file, "heading", SVG_START, x + LABEL_WIDTH, y + 18, "%s: did not end", run->name);
        return;
    }
    svg_text(file, "heading", SVG_START, x + LABEL_WIDTH, y + 18, "%s: %.3f s", run->name,
             wall_time(run));
    svg_rect(file, "plot", scale.x, top, scale.width, bottom - top);
    draw_axis(file, &scale, top, bottom);
    for (size_t i = 0; i < run->count; i++) {
        const struct outcome *outcome = &report->outcomes[i];

        if (outcome->ended)
            draw_row(file, outcome, &files[i].url, &scale, top + height * (double)i, height);
    }
}

/* ---- the page ------------------------------------------------------------------------------ */

int timeline_write(FILE *file, const struct run runs[], size_t run_count, const struct file files[])
{
    double panel = HEADING_HEIGHT + row_height(runs[0].count) * (double)runs[0].count + AXIS_HEIGHT;
    double panels_top = HEAD_HEIGHT + (double)run_count * BAR_HEIGHT + AXIS_HEIGHT;
    size_t rows = (run_count + 1) / 2; /* of panels, two in each */
    double height = panels_top + panel * (double)rows + MARGIN / 2.0;
    char sheet[2048];

    snprintf(sheet, sizeof sheet, "%s.label { font-size: %.1fpx; }\n", style,
             fmin(11, 0.85 * row_height(runs[0].count)));
    svg_begin(file, WIDTH, height, sheet);
    svg_rect(file, "page", 0, 0, WIDTH, height);
    draw_head(file, runs[0].count);
    draw_overview(file, runs, run_count);
    svg_text(file, "note", SVG_START, MARGIN, panels_top - 14,
             "A row for each file. Each panel has a time scale of its own; what runs is at least a "
             "pixel wide.");
    for (size_t i = 0; i < run_count; i++) {
        size_t row = i / 2, column = i % 2;

        draw_panel(file, &runs[i], files, MARGIN + (double)column * (PANEL_WIDTH + PANEL_GAP),
                   panels_top + (double)row * panel);
    }
    svg_end(file);
    return ferror(file) ? -EIO : 0;
}

/*
 * svg.h: the few shapes that the timeline is drawn with. Lengths are in pixels.
 */
#ifndef DEMO_SVG_H
#define DEMO_SVG_H

#include <stdio.h>

enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };

/* `style` is the text between <style> and its end. */
void svg_begin(FILE *file, double width, double height, const char *style);
void svg_end(FILE *file);

/* `class` names the entry of the style sheet that a shape is drawn by. */
void svg_rect(FILE *file, const char *class, double x, double y, double width, double height);
void svg_vertical(FILE *file, const char *class, double x, double from, double to);

/* Text at (x, y), its base line, of printf's making; what XML does not bear is made harmless. */
__attribute__((format(printf, 6, 7))) void svg_text(FILE *file, const char *class,
                                                    enum svg_anchor anchor, double x, double y,
                                                    const char *format, ...);

/* A group with a tooltip, for the shapes up to its end. */
__attribute__((format(printf, 2, 3))) void svg_begin_group(FILE *file, const char *format, ...);
void svg_end_group(FILE *file);

#endif

#include "svg.h"

#include <stdarg.h>

/* Bytes outside of ASCII may be no UTF-8, of which a reader of XML would complain. */
static void put_escaped(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&')
            fputs("&amp;", file);
        else if (*text == '<')
            fputs("&lt;", file);
        else if (*text == '>')
            fputs("&gt;", file);
        else
            putc(*text >= ' ' && *text <= '~' ? *text : '?', file);
    }
}

static void put_formatted(FILE *file, const char *format, va_list arguments)
{
    char text[512];

    vsnprintf(text, sizeof text, format, arguments);
    put_escaped(file, text);
}

void svg_begin(FILE *file, double width, double height, const char *style)
{
    fprintf(file,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
            "viewBox=\"0 0 %.0f %.0f\">\n<style>\n%s</style>\n",
            width, height, width, height, style);
}

void svg_end(FILE *file)
{
    fputs("</svg>\n", file);
}

void svg_rect(FILE *file, const char *class, double x, double y, double width, double height)
{
    fprintf(file, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>\n",
            class, x, y, width, height);
}

void svg_vertical(FILE *file, const char *class, double x, double from, double to)
{
    fprintf(file, "<line class=\"%s\" x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\"/>\n", class,
            x, from, x, to);
}

void svg_text(FILE *file, const char *class, enum svg_anchor anchor, double x, double y,
              const char *format, ...)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    va_list arguments;

    fprintf(file, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.2f\" y=\"%.2f\">", class,
            anchors[anchor], x, y);
    va_start(arguments, format);
    put_formatted(file, format, arguments);
    va_end(arguments);
    fputs("</text>\n", file);
}

void svg_begin_group(FILE *file, const char *format, ...)
{
    va_list arguments;

    fputs("<g><title>", file);
    va_start(arguments, format);
    put_formatted(file, format, arguments);
    va_end(arguments);
    fputs("</title>\n", file);
}

void svg_end_group(FILE *file)
{
    fputs("</g>\n", file);
}

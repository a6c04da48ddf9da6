/* SPDX-License-Identifier: Apache-2.0 */
/* Owns where everything stands around the data. */
#include "lab/chart_frame.h"

#include "lab/chart_text.h"

#include <math.h>
#include <string.h>

enum {
    EDGE = 14,
    TITLE_SIZE = 14,
    TITLE_LINES = 2,
    SUBTITLE_LINES = 3,
    LINE = 15,   /* from one line of text to the next */
    SWATCH = 22, /* of a legend's entry, with the gap behind it */
    ENTRY_GAP = 14,
    TICK_ROOM = 8 /* between the labels of two ticks */
};

/* Around (0, 0), about as large as each other. */
static const char *const shapes[CHART_SLOTS] = {
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",                           /* circle */
    "M-3.6-3.6h7.2v7.2h-7.2z",                                      /* square */
    "M0-4.6L4.6 3.6H-4.6z",                                         /* triangle */
    "M0-5L5 0L0 5L-5 0z",                                           /* diamond */
    "M0 4.6L4.6-3.6H-4.6z",                                         /* triangle on its tip */
    "M-1.6-4.8h3.2v3.2h3.2v3.2h-3.2v3.2h-3.2v-3.2h-3.2v-3.2h3.2z",  /* plus */
    "M-2.4-4.2h4.8L4.8 0L2.4 4.2h-4.8L-4.8 0z",                     /* hexagon */
    "M0-5.4L1.6-1.6L5.4 0L1.6 1.6L0 5.4L-1.6 1.6L-5.4 0L-1.6-1.6z", /* star of four */
    "M-5-2.2h10v4.4h-10z",                                          /* bar */
};

/* ---- text ---- */

static void put_cut(const struct frame_text *how, const char *text, size_t len, bool cut,
                    struct buf *out)
{
    buf_addf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\"", how->class, how->x, how->y);
    if (strcmp(how->anchor, "start") != 0)
        buf_addf(out, " text-anchor=\"%s\"", how->anchor);
    buf_addc(out, '>');
    chart_text_put(out, text, len);
    buf_adds(out, cut ? "…</text>\n" : "</text>\n");
}

void frame_text(const struct frame_text *how, const char *text, struct buf *out)
{
    size_t len = strlen(text);
    double room = (double)how->room;
    if (how->room == 0 || chart_text_width(text, len, FRAME_LABEL_SIZE) <= room)
        put_cut(how, text, len, false, out);
    else
        put_cut(how, text,
                chart_text_fit(text, len, FRAME_LABEL_SIZE, room - FRAME_LABEL_SIZE), true,
                out);
}

/* Lines of a title from `y` on; returns where the next stands. */
static double put_lines(const char *class, const char *text, double size, size_t max,
                        double width, double y, struct buf *out)
{
    struct chart_line lines[CHART_LINES_MAX];
    size_t count = chart_text_wrap(text, size, width - 2 * EDGE, max, lines);
    for (size_t i = 0; i < count; i++) {
        const struct frame_text how = {class, "start", EDGE, y, 0};
        put_cut(&how, lines[i].text, lines[i].len, lines[i].cut, out);
        y += LINE + (size > FRAME_LABEL_SIZE ? 2 : 0);
    }
    return y;
}

/* ---- the legend ---- */

static void put_swatch(const struct frame_entry *entry, double x, double y, struct buf *out)
{
    unsigned slot = entry->slot % CHART_SLOTS;
    if (entry->kind == CHART_CEILING) {
        buf_addf(out, "<path class=\"ceiling\" d=\"M%.1f %.1fh16\"/>\n", x, y);
        return;
    }
    if (entry->bar) {
        buf_addf(out,
                 "<rect class=\"c%u\" x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"10\"/>\n",
                 slot, x + 2, y - 5);
        return;
    }
    if (entry->kind == CHART_LINE)
        buf_addf(out, "<path class=\"line l%u\" d=\"M%.1f %.1fh16\"/>\n", slot, x, y);
    frame_mark(slot, x + 8, y, out);
    buf_adds(out, "</path>\n");
}

static double entry_width(const struct frame_entry *entry)
{
    return SWATCH + chart_text_width(entry->name, strlen(entry->name), FRAME_LABEL_SIZE);
}

/* In rows; returns where the next line stands. */
static double put_legend(const struct frame *frame, double y, struct buf *out)
{
    double x = EDGE;
    double most = frame->width - 2 * EDGE;
    if (frame->entry_count == 0)
        return y;
    for (size_t i = 0; i < frame->entry_count; i++) {
        const struct frame_entry *entry = &frame->entries[i];
        double width = fmin(entry_width(entry), most);
        if (x > EDGE && x + width > frame->width - EDGE) {
            x = EDGE;
            y += LINE + 1;
        }
        put_swatch(entry, x, y - 4, out);
        const struct frame_text how = {"name", "start", x + SWATCH, y,
                                       (size_t)ceil(width - SWATCH)};
        frame_text(&how, entry->name, out);
        x += width + ENTRY_GAP;
    }
    return y + LINE + 4;
}

/* ---- the whole ---- */

/* The height is known once all above the plot is written: so that goes into a buffer of its own. */
void frame_open(struct frame *frame, struct buf *out)
{
    BUF_AUTO above;
    buf_init(&above, 1 << 18);
    double y = put_lines("title", frame->title, TITLE_SIZE, TITLE_LINES, frame->width, 22,
                         &above);
    y = put_lines("note", frame->subtitle, FRAME_LABEL_SIZE, SUBTITLE_LINES, frame->width, y,
                  &above);
    y = put_legend(frame, y + 4, &above);
    const struct frame_text label = {"label", "start", EDGE, y,
                                     (size_t)(frame->width - 2 * EDGE)};
    if (frame->y_label[0] != '\0')
        frame_text(&label, frame->y_label, &above);
    frame->right = frame->width - EDGE - 4;
    frame->top = frame->y_label[0] != '\0' ? y + 14 : y - 4;
    frame->bottom = frame->top + (frame->height > 0 ? frame->height : FRAME_PLOT_HEIGHT);
    double height = frame->bottom + (frame->x_label[0] == '\0' ? 26 : 44);
    buf_addf(out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\""
             " width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n<title>",
             frame->width, height, frame->width, height);
    chart_text_put(out, frame->title, strlen(frame->title));
    buf_addf(out,
             "</title>\n<style>%s</style>\n"
             "<rect class=\"ground\" width=\"%.0f\" height=\"%.0f\"/>\n",
             chart_style(), frame->width, height);
    buf_note_loss(out, &above);
    buf_add(out, above.data, above.len);
}

void frame_close(struct buf *out)
{
    buf_adds(out, "</svg>\n");
}

/* ---- axes ---- */

double frame_left(const struct scale *y)
{
    double widest = 0;
    for (size_t i = 0; i < y->tick_count; i++) {
        char text[CHART_VALUE_BYTES];
        chart_value(text, y->ticks[i], y->axis.unit);
        widest = fmax(widest, chart_text_width(text, strlen(text), FRAME_LABEL_SIZE));
    }
    return EDGE + widest + 7;
}

void frame_y_axis(const struct frame *frame, const struct scale *y, struct buf *out)
{
    double last = INFINITY;
    for (size_t i = 0; i < y->tick_count; i++) {
        char text[CHART_VALUE_BYTES];
        double at = scale_at(y, y->ticks[i]);
        const struct frame_text how = {"tick", "end", frame->left - 6, at + 4, 0};
        if (last - at < LINE)
            continue;
        last = at;
        buf_addf(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", frame->left, at,
                 frame->right);
        frame_text(&how, chart_value(text, y->ticks[i], y->axis.unit), out);
    }
}

void frame_x_line(const struct frame *frame, struct buf *out)
{
    const struct frame_text label = {"label", "middle", (frame->left + frame->right) / 2,
                                     frame->bottom + 34, (size_t)(frame->right - frame->left)};
    buf_addf(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", frame->left, frame->bottom,
             frame->right);
    if (frame->x_label[0] != '\0')
        frame_text(&label, frame->x_label, out);
}

/* A tick whose label would touch the one before has none. */
void frame_x_axis(const struct frame *frame, const struct scale *x, struct buf *out)
{
    double free_from = frame->left - 30;
    for (size_t i = 0; i < x->tick_count; i++) {
        char text[CHART_VALUE_BYTES];
        double at = scale_at(x, x->ticks[i]);
        chart_value(text, x->ticks[i], x->axis.unit);
        double half = chart_text_width(text, strlen(text), FRAME_LABEL_SIZE) / 2;
        buf_addf(out, "<path class=\"axis\" d=\"M%.1f %.1fv4\"/>\n", at, frame->bottom);
        if (at - half < free_from || at + half > frame->width)
            continue;
        free_from = at + half + TICK_ROOM;
        const struct frame_text how = {"tick", "middle", at, frame->bottom + 17, 0};
        frame_text(&how, text, out);
    }
    frame_x_line(frame, out);
}

/* ---- marks ---- */

void frame_mark(unsigned slot, double x, double y, struct buf *out)
{
    buf_addf(out, "<path class=\"mark c%u\" transform=\"translate(%.1f %.1f)\" d=\"%s\">",
             slot % CHART_SLOTS, x, y, shapes[slot % CHART_SLOTS]);
}

void frame_tip(const struct frame_tip *tip, struct buf *out)
{
    char value[CHART_VALUE_BYTES], low[CHART_VALUE_BYTES], high[CHART_VALUE_BYTES];
    buf_adds(out, "<title>");
    chart_text_put(out, tip->name, strlen(tip->name));
    buf_adds(out, ", ");
    chart_text_put(out, tip->where, strlen(tip->where));
    buf_addf(out, ": %s", chart_value(value, tip->value, tip->unit));
    if (isfinite(tip->range.low) && isfinite(tip->range.high))
        buf_addf(out, " [%s, %s]", chart_value(low, tip->range.low, tip->unit),
                 chart_value(high, tip->range.high, tip->unit));
    buf_adds(out, "</title>");
}

void frame_whisker(unsigned slot, double x, double low, double high, struct buf *out)
{
    buf_addf(out,
             "<path class=\"whisker l%u\" d=\"M%.1f %.1fV%.1fM%.1f %.1fh5M%.1f %.1fh5\"/>\n",
             slot % CHART_SLOTS, x, low, high, x - 2.5, low, x - 2.5, high);
}

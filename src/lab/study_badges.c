/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the words and the drawing of badges. */
#include "lab/study_badges.h"

#include "judge/text.h"
#include "lab/chart_text.h"
#include "lab/study_checklist.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HEIGHT = 20, TEXT_SIZE = 11, PADDING = 7 };

/* Greener than what is shown is nothing: the interval has to lie wholly on one side of 1, over all shapes. */
static void set_speedup(const struct study_result *result, struct study_badge *badge)
{
    const struct change *speedup = &result->speedup;
    *badge = (struct study_badge){"speedup", "speed-up", "none shown", "lightgrey"};
    if (!speedup->known)
        return;
    int len = snprintf(badge->message, sizeof badge->message, "%.3fx [%.3f, %.3f]",
                       1 + speedup->change, 1 + speedup->ci_decision.low,
                       1 + speedup->ci_decision.high);
    bool all = result->speedup_configs == result->row_count;
    if (!all && len > 0 && (size_t)len < sizeof badge->message)
        snprintf(badge->message + len, sizeof badge->message - (size_t)len,
                 " at %zu of %zu shapes", result->speedup_configs, result->row_count);
    badge->color = speedup->ci_decision.high < 0         ? "red"
                   : speedup->ci_decision.low > 0 && all ? "brightgreen"
                                                         : "yellow";
}

static void set_verdict(const struct study_result *result, struct study_badge *badge)
{
    static const char *const colors[] = {[VERDICT_HELD] = "green",
                                         [VERDICT_IMPROVED] = "brightgreen",
                                         [VERDICT_UNCLEAR] = "yellow",
                                         [VERDICT_UNMEASURED] = "lightgrey",
                                         [VERDICT_REGRESSED] = "red"};
    enum verdict verdict = result->files->comparison.verdict;
    *badge = (struct study_badge){"verdict", "best against first", "no check", "lightgrey"};
    if (!result->compared)
        return;
    snprintf(badge->message, sizeof badge->message, "%s", verdict_name(verdict));
    badge->color = colors[verdict];
}

static void set_reproducible(const struct study_result *result, struct study_badge *badge)
{
    struct study_item items[STUDY_ITEMS];
    size_t done = study_checklist(result, items);
    *badge = (struct study_badge){"reproducible", "reproducibility", "",
                                  4 * done >= 3 * STUDY_ITEMS ? "green" : "yellow"};
    snprintf(badge->message, sizeof badge->message, "%zu of %d", done, STUDY_ITEMS);
}

void study_badges_of(const struct study_result *result,
                     struct study_badge badges[STUDY_BADGES])
{
    set_speedup(result, &badges[0]);
    set_verdict(result, &badges[1]);
    set_reproducible(result, &badges[2]);
}

/* The name's colour, dark enough for white text. */
static const char *fill_of(const char *color)
{
    static const char *const fills[][2] = {{"brightgreen", "#1a7f37"},
                                           {"green", "#3a7a2a"},
                                           {"yellow", "#8a6100"},
                                           {"red", "#b3261e"},
                                           {"lightgrey", "#6a6a66"}};
    size_t i = 0;
    while (i + 1 < sizeof fills / sizeof *fills && strcmp(fills[i][0], color) != 0)
        i++;
    return fills[i][1];
}

static double width_of(const char *text)
{
    return ceil(chart_text_width(text, strlen(text), TEXT_SIZE)) + 2 * PADDING;
}

static void put_part(struct buf *out, double x, double width, const char *text,
                     const char *fill)
{
    buf_addf(out,
             "<rect x=\"%g\" width=\"%g\" height=\"%d\" fill=\"%s\"/>\n"
             "<text x=\"%g\" y=\"14\" text-anchor=\"middle\">",
             x, width, HEIGHT, fill, x + width / 2);
    chart_text_put(out, text, strlen(text));
    buf_adds(out, "</text>\n");
}

void study_badge_svg(const struct study_badge *badge, struct buf *out)
{
    double left = width_of(badge->label), right = width_of(badge->message);
    buf_addf(out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%d\""
             " viewBox=\"0 0 %g %d\" role=\"img\" fill=\"#ffffff\" font-size=\"%d\""
             " font-family=\"Verdana,DejaVu Sans,Helvetica,Arial,sans-serif\">\n<title>",
             left + right, HEIGHT, left + right, HEIGHT, TEXT_SIZE);
    chart_text_put(out, badge->label, strlen(badge->label));
    buf_adds(out, ": ");
    chart_text_put(out, badge->message, strlen(badge->message));
    buf_adds(out, "</title>\n");
    put_part(out, 0, left, badge->label, "#3d3d3a");
    put_part(out, left, right, badge->message, fill_of(badge->color));
    buf_adds(out, "</svg>\n");
}

void study_badge_json(const struct study_badge *badge, struct buf *out)
{
    buf_adds(out, "{\"schemaVersion\": 1, \"label\": ");
    text_string(out, badge->label);
    buf_adds(out, ", \"message\": ");
    text_string(out, badge->message);
    buf_adds(out, ", \"color\": ");
    text_string(out, badge->color);
    buf_adds(out, "}\n");
}

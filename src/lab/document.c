/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how a report looks, as Markdown and as HTML. */
#include "lab/document.h"

#include "lab/chart_text.h"
#include "publish/markdown.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 2048, CODE_BYTES = 1 << 18 };

static const char style[] =
    ":root{color-scheme:light dark}"
    "body{margin:0 auto;padding:16px;max-width:1400px;background:#ffffff;color:#161615;"
    "font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",Helvetica,Arial,sans-serif}"
    "h1{font-size:22px;line-height:1.25}h2{font-size:18px;margin-top:32px}"
    "p,li{max-width:75ch;overflow-wrap:anywhere}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13px;"
    "font-variant-numeric:tabular-nums}"
    "th,td{padding:4px 12px 4px 0;text-align:left;white-space:nowrap;vertical-align:top;"
    "border-bottom:1px solid #e6e5e0}"
    "pre{overflow-x:auto;padding:8px 12px;border:1px solid #e6e5e0;border-radius:6px;"
    "font-size:13px}a{color:inherit}"
    ".figures{display:grid;gap:16px;grid-template-columns:repeat(auto-fill,"
    "minmax(min(100%,360px),1fr))}"
    "figure{margin:0;overflow-x:auto;border:1px solid #e6e5e0;border-radius:6px}"
    "figure.wide{grid-column:1/-1}"
    "figure svg{display:block;height:auto;width:100%;max-width:560px}"
    "figure.wide svg{width:auto;max-width:none}"
    "@media(prefers-color-scheme:dark){body{background:#121211;color:#f4f3ef}"
    "th,td{border-color:#353431}figure,pre{border-color:#353431}}";

static bool is_html(const struct document *document)
{
    return document->kind == DOCUMENT_HTML;
}

static void put(const struct document *document, const char *text)
{
    if (is_html(document))
        chart_text_put(document->out, text, strlen(text));
    else
        markdown_text(document->out, text);
}

static void __attribute__((format(printf, 2, 0)))
put_args(const struct document *document, const char *format, va_list args)
{
    char text[TEXT_BYTES];
    vsnprintf(text, sizeof text, format, args);
    put(document, text);
}

/* `html` or `markdown`, whichever it is. */
static void tag(const struct document *document, const char *html, const char *markdown)
{
    buf_adds(document->out, is_html(document) ? html : markdown);
}

void document_begin(const struct document *document, const char *title)
{
    if (is_html(document)) {
        buf_adds(document->out,
                 "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                 "<title>");
        put(document, title);
        buf_addf(document->out, "</title>\n<style>%s</style>\n", style);
    }
    tag(document, "<h1>", "# ");
    put(document, title);
    tag(document, "</h1>\n", "\n\n");
}

void document_end(const struct document *document)
{
    tag(document, "</html>\n", "");
}

void document_heading(const struct document *document, const char *text)
{
    tag(document, "<h2>", "## ");
    put(document, text);
    tag(document, "</h2>\n", "\n\n");
}

void document_text(const struct document *document, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tag(document, "<p>", "");
    put_args(document, format, args);
    tag(document, "</p>\n", "\n\n");
    va_end(args);
}

void document_list(const struct document *document)
{
    tag(document, "<ul>\n", "");
}

void document_point(const struct document *document, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tag(document, "<li>", "- ");
    put_args(document, format, args);
    tag(document, "</li>\n", "\n");
    va_end(args);
}

void document_list_end(const struct document *document)
{
    tag(document, "</ul>\n", "\n");
}

void document_code(const struct document *document, const char *text)
{
    if (!is_html(document)) {
        markdown_fenced(document->out, text, strlen(text), CODE_BYTES);
        buf_addc(document->out, '\n');
        return;
    }
    buf_adds(document->out, "<pre>");
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        chart_text_put(document->out, line, len);
        buf_addc(document->out, '\n');
        line += line[len] == '\n' ? len + 1 : len;
    }
    buf_adds(document->out, "</pre>\n");
}

void document_link(const struct document *document, const char *file, const char *text)
{
    if (is_html(document)) {
        buf_adds(document->out, "<li><a href=\"");
        put(document, file);
        buf_adds(document->out, "\">");
        put(document, text);
        buf_adds(document->out, "</a></li>\n");
        return;
    }
    buf_adds(document->out, "- [");
    put(document, text);
    buf_addf(document->out, "](%s)\n", file);
}

void document_table(const struct document *document, const char *const *columns, size_t count)
{
    tag(document, "<div class=\"scroll\"><table>\n<tr>", "|");
    for (size_t i = 0; i < count; i++) {
        tag(document, "<th>", " ");
        put(document, columns[i]);
        tag(document, "</th>", " |");
    }
    tag(document, "</tr>\n", "\n|");
    for (size_t i = 0; i < count; i++)
        tag(document, "", "---|");
    tag(document, "", "\n");
}

void document_row(const struct document *document)
{
    tag(document, "<tr>", "|");
}

void document_cell(const struct document *document, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tag(document, "<td>", " ");
    put_args(document, format, args);
    tag(document, "</td>", " |");
    va_end(args);
}

void document_row_end(const struct document *document)
{
    tag(document, "</tr>\n", "\n");
}

void document_table_end(const struct document *document)
{
    tag(document, "</table></div>\n", "\n");
}

void document_figures(const struct document *document)
{
    tag(document, "<div class=\"figures\">\n", "");
}

/* A picture that is wider than a telephone has a row for itself, and scrolls in it. */
void document_figure(const struct document *document, const char *file, const char *title,
                     const struct buf *svg)
{
    if (is_html(document)) {
        double width = 0;
        const char *given = strstr(svg->data, " width=\"");
        if (given != NULL && sscanf(given, " width=\"%lf\"", &width) != 1)
            width = 0;
        buf_adds(document->out, width > 360 ? "<figure class=\"wide\">" : "<figure>");
        buf_add(document->out, svg->data, svg->len);
        buf_adds(document->out, "</figure>\n");
        return;
    }
    buf_adds(document->out, "![");
    markdown_text(document->out, title);
    buf_addf(document->out, "](%s)\n", file);
}

void document_figures_end(const struct document *document)
{
    tag(document, "</div>\n", "\n");
}

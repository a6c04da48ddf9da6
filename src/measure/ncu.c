/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of Nsight Compute's text: a table with a column for each metric, a row of units,
 * and a row for each kernel. */
#include "measure/ncu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 1024, CELL_BYTES = 256, NO_METRIC = -1, KERNEL_NAME = -2 };

/* ---- cells ---- */

struct row {
    const char *at, *end; /* what is left of it; at NULL: nothing */
};

/* The row at *text, which moves to the next one. */
static struct row take_row(const char **text, const char *end)
{
    const char *stop = memchr(*text, '\n', (size_t)(end - *text));
    struct row row = {*text, stop == NULL ? end : stop};
    *text = stop == NULL ? end : stop + 1;
    return row;
}

/* The next cell, without its quotes and cut to CELL_BYTES; false at the end of the row. */
static bool take_cell(struct row *row, char cell[CELL_BYTES])
{
    size_t len = 0;
    bool quoted = false;
    if (row->at == NULL)
        return false;
    for (; row->at < row->end && (quoted || *row->at != ','); row->at++) {
        bool twice = quoted && *row->at == '"' && row->at + 1 < row->end && row->at[1] == '"';
        if (*row->at == '"' && !twice) {
            quoted = !quoted;
            continue;
        }
        row->at += twice;
        if (len + 1 < CELL_BYTES)
            cell[len++] = *row->at;
    }
    cell[len] = '\0';
    row->at = row->at < row->end ? row->at + 1 : NULL;
    return true;
}

static double within(double number)
{
    return number >= 0 && number <= METRIC_MAX ? number : (double)NAN;
}

/* "1,315,840", "42.5", "1.5e+09"; NaN for all else. */
static double number_of(const char *cell)
{
    char digits[CELL_BYTES];
    size_t len = 0;
    for (; *cell != '\0'; cell++) {
        if (*cell == ',')
            continue;
        if (strchr("0123456789.eE+-", *cell) == NULL)
            return (double)NAN;
        digits[len++] = *cell;
    }
    digits[len] = '\0';
    char *end;
    double number = strtod(digits, &end);
    return len > 0 && *end == '\0' ? number : (double)NAN;
}

/* What a number of this unit is multiplied with: we ask for base units. NaN: another unit. */
static double scale_of(enum metric metric, const char *unit)
{
    static const struct {
        const char *unit;
        double scale;
    } bytes[] = {{"byte", 1}, {"Kbyte", 1e3}, {"Mbyte", 1e6}, {"Gbyte", 1e9}, {"Tbyte", 1e12}};
    if (metric_unit(metric) != METRIC_BYTES)
        return 1;
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++)
        if (strcmp(unit, bytes[i].unit) == 0)
            return bytes[i].scale;
    return (double)NAN;
}

/* ---- the table ---- */

struct table {
    int columns[COLUMNS_MAX]; /* enum metric, NO_METRIC or KERNEL_NAME */
    size_t count;
    double scales[METRICS];
    size_t kernels;
    double most; /* instructions of the kernel whose shares are kept */
    struct metric_readings sum;
};

static int column_of(const char *name)
{
    if (strcmp(name, "Kernel Name") == 0)
        return KERNEL_NAME;
    for (int metric = 0; metric < METRICS; metric++)
        if (strcmp(name, metric_tool_name((enum metric)metric)) == 0)
            return metric;
    return NO_METRIC;
}

static void read_header(struct table *table, struct row row)
{
    char cell[CELL_BYTES];
    while (table->count < COLUMNS_MAX && take_cell(&row, cell))
        table->columns[table->count++] = column_of(cell);
}

static void read_units(struct table *table, struct row row)
{
    char cell[CELL_BYTES];
    for (size_t i = 0; i < table->count && take_cell(&row, cell); i++)
        if (table->columns[i] >= 0)
            table->scales[table->columns[i]] = scale_of((enum metric)table->columns[i], cell);
}

static void add_kernel(struct table *table, const double values[METRICS])
{
    double instructions = values[METRIC_INSTRUCTIONS];
    bool largest = table->kernels == 0 || instructions > table->most;
    for (int metric = 0; metric < METRICS; metric++) {
        double *sum = &table->sum.values[metric];
        if (metric_adds_up((enum metric)metric) && table->kernels > 0)
            *sum = within(*sum + values[metric]);
        else if (largest)
            *sum = values[metric];
    }
    if (largest)
        table->most = instructions;
    table->kernels++;
}

static void read_kernel(struct table *table, struct row row)
{
    double values[METRICS];
    char cell[CELL_BYTES];
    for (int metric = 0; metric < METRICS; metric++)
        values[metric] = (double)NAN;
    for (size_t i = 0; i < table->count && take_cell(&row, cell); i++) {
        int column = table->columns[i];
        if (column == KERNEL_NAME &&
            strncmp(cell, NCU_OWN_KERNELS, strlen(NCU_OWN_KERNELS)) == 0)
            return;
        if (column >= 0)
            values[column] = within(number_of(cell) * table->scales[column]);
    }
    add_kernel(table, values);
}

/* The last line that is a header; NULL: none. */
static const char *find_header(const char *text, const char *end)
{
    static const char front[] = "\"ID\",";
    const char *found = NULL;
    while (text < end) {
        struct row row = take_row(&text, end);
        size_t len = (size_t)(row.end - row.at);
        if (len > strlen(front) && memcmp(row.at, front, strlen(front)) == 0)
            found = row.at;
    }
    return found;
}

int ncu_parse(const char *text, size_t len, struct metric_readings *out, struct err *err)
{
    const char *end = text + len;
    const char *at = find_header(text, end);
    if (at == NULL)
        return err_set(err, ERR_INPUT, "no table of metrics in what was printed");
    struct table table = {.count = 0};
    for (int metric = 0; metric < METRICS; metric++) {
        table.scales[metric] = scale_of((enum metric)metric, "byte");
        table.sum.values[metric] = (double)NAN;
    }
    read_header(&table, take_row(&at, end));
    while (at < end && table.kernels < NCU_KERNELS_MAX) {
        struct row row = take_row(&at, end), first = row;
        char id[CELL_BYTES];
        if (row.at == row.end || *row.at != '"' || !take_cell(&first, id))
            continue; /* said by somebody else */
        if (id[0] == '\0')
            read_units(&table, row);
        else
            read_kernel(&table, row);
    }
    if (table.kernels == 0)
        return err_set(err, ERR_INPUT, "no kernel was profiled");
    *out = table.sum;
    return 0;
}

/* ---- what went wrong ---- */

void ncu_put_names(const bool unknown[METRICS], struct buf *out)
{
    for (int metric = 0; metric < METRICS; metric++)
        if (!unknown[metric])
            buf_addf(out, "%s%s", out->len > 0 ? "," : "",
                     metric_tool_name((enum metric)metric));
}

/* Is the metric named in a line? By all of its name, or by what is before the first point, which is how
 * an expression for a whole family is written. */
static bool names(const char *line, size_t len, enum metric metric)
{
    const char *name = metric_tool_name(metric);
    const char *found = memmem(line, len, name, strcspn(name, "."));
    if (found == NULL)
        return false;
    char behind = found + strcspn(name, ".") < line + len ? found[strcspn(name, ".")] : '\0';
    return strchr("_abcdefghijklmnopqrstuvwxyz0123456789", behind) == NULL || behind == '\0';
}

bool ncu_mark_unknown(const char *text, bool unknown[METRICS])
{
    static const char says[] = "Failed to find metric";
    bool any = false;
    for (const char *at = text; (at = strstr(at, says)) != NULL; at += strlen(says))
        for (int metric = 0; metric < METRICS; metric++)
            if (!unknown[metric] && names(at, strcspn(at, "\n"), (enum metric)metric))
                unknown[metric] = any = true;
    return any;
}

void ncu_problem(const char *text, char out[NCU_LINE_BYTES])
{
    static const char *const fronts[] = {"==ERROR==", "==WARNING==", ""};
    const char *end = text + strlen(text), *found = text;
    size_t found_len = 0;
    for (size_t i = 0; i < sizeof fronts / sizeof fronts[0] && found_len == 0; i++)
        for (const char *at = text; at < end;) {
            struct row row = take_row(&at, end);
            size_t len = (size_t)(row.end - row.at), front = strlen(fronts[i]);
            bool first = i == 0 && found_len > 0; /* of errors the first is the cause */
            if (len > front && memcmp(row.at, fronts[i], front) == 0 && !first) {
                found = row.at + front + strspn(row.at + front, " ");
                found_len = (size_t)(row.end - found);
            }
        }
    size_t len = found_len < NCU_LINE_BYTES ? found_len : NCU_LINE_BYTES - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = found[i] >= 0x20 && found[i] < 0x7f ? found[i] : '?';
    out[len] = '\0';
}

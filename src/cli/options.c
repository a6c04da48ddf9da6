/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how a command line is read, and the print of its table. */
#include "cli/options.h"

#include "base/line.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option *find_option(const struct cli_option *options, const char *word,
                                            size_t len)
{
    for (; options->name != NULL; options++)
        if (strlen(options->name) == len && strncmp(options->name, word, len) == 0)
            return options;
    return NULL;
}

static int unknown_option(const struct cli_option *options, const char *word, size_t len,
                          struct err *err)
{
    const struct cli_option *table = options;
    char meant[NEAR_TEXT_BYTES];
    struct near near = {.word = word + 2, .len = len};
    for (; options->name != NULL; options++)
        if (options->help != NULL)
            near_offer(&near, options->name);
    const struct cli_option *config = find_option(table, "config-name", strlen("config-name"));
    bool configs = len == strlen("configs") && strncmp(word + 2, "configs", len) == 0 &&
                   (config != NULL || find_option(table, "base", strlen("base")) != NULL);
    return err_set(err, ERR_USAGE, "unknown option `%s`%s", word,
                   !configs         ? near_text(&near, "--", meant)
                   : config != NULL ? "; did you mean `--config-name`?"
                                    : "; a check takes all configs");
}

static bool has_more(const struct cli_option *option)
{
    return option[1].name != NULL && strcmp(option[1].name, option->name) == 0;
}

/* Put a value where it belongs: of an option that stands in the table several times, the first
 * place that is free. False: all are taken. */
static bool put_value(const struct cli_option *option, const char *value)
{
    bool several = has_more(option);
    for (; several && *option->value != NULL; option++)
        if (!has_more(option))
            return false;
    *option->value = value;
    return true;
}

static void print_option(const struct cli_option *option)
{
    char name[64];
    bool optional = option->flag != NULL && option->value != NULL;
    snprintf(name, sizeof name, "--%s%s%s%s", option->name,
             option->value == NULL ? ""
             : optional            ? "[="
                                   : " ",
             option->value == NULL ? "" : option->argument, optional ? "]" : "");
    const char *value = option->value == NULL ? NULL : *option->value;
    line_out("  %-24s %s%s%s%s%s", name, option->help, value == NULL ? "" : " [",
             value == NULL ? "" : value, value == NULL ? "" : "]",
             has_more(option) ? "; repeatable" : "");
}

void cli_print_options(const struct cli_option *options)
{
    for (; options->name != NULL; options++) {
        if (options->help != NULL)
            print_option(options);
        while (has_more(options))
            options++;
    }
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

bool cli_wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (is_help(argv[i]))
            return true;
    return false;
}

/* What the option at argv[*at] says; *at moves on over a value of its own. `given`: of the rows, which. */
static int read_option(int argc, char **argv, int *at, const struct cli_option *options,
                       bool given[CLI_OPTIONS_MAX], struct err *err)
{
    const char *word = argv[*at];
    size_t len = strcspn(word + 2, "=");
    const struct cli_option *option = find_option(options, word + 2, len);
    if (option == NULL)
        return unknown_option(options, word, len, err);
    given[option - options] = true;
    const char *value = word[2 + len] == '=' ? word + 2 + len + 1 : NULL;
    if (option->flag != NULL && value == NULL) {
        *option->flag = true;
        return 0;
    }
    if (option->value == NULL)
        return err_set(err, ERR_USAGE, "option `--%s` takes no value", option->name);
    if (value == NULL && ++*at < argc)
        value = argv[*at];
    if (value == NULL)
        return err_set(err, ERR_USAGE, "option `--%s` needs a value", option->name);
    return put_value(option, value)
               ? 0
               : err_set(err, ERR_USAGE, "too many of `--%s`", option->name);
}

/* What was given in vain, and in which option it would be right. */
static int unexpected(const struct cli_option *options, const char *word, struct err *err)
{
    static const char *const choosing[] = {"configs", "config-name"};
    for (size_t i = 0; i < sizeof choosing / sizeof choosing[0]; i++)
        if (find_option(options, choosing[i], strlen(choosing[i])) != NULL)
            return err_set(err, ERR_USAGE, "unexpected argument `%s`: `--%s` picks configs",
                           word, choosing[i]);
    if (find_option(options, "base", strlen("base")) != NULL)
        return err_set(
            err, ERR_USAGE,
            "unexpected argument `%s`: `--head` names the commit that is looked at, "
            "`--base` what it is set against",
            word);
    return err_set(err, ERR_USAGE, "unexpected argument `%s`", word);
}

/* "name", or "name=value". */
static bool is_given(const struct cli_option *options, const bool given[CLI_OPTIONS_MAX],
                     const char *what)
{
    size_t len = strcspn(what, "=");
    const struct cli_option *option = find_option(options, what, len);
    return option != NULL && given[option - options] &&
           (what[len] == '\0' || strcmp(*option->value, what + len + 1) == 0);
}

static int check_ties(const struct cli_option *options, const struct cli_tie *ties,
                      const bool given[CLI_OPTIONS_MAX], struct err *err)
{
    for (; ties->name != NULL; ties++) {
        if (!is_given(options, given, ties->name))
            continue;
        if (ties->needs != NULL && !is_given(options, given, ties->needs))
            return err_set(err, ERR_USAGE, "`--%s` does nothing without `--%s`", ties->name,
                           ties->needs);
        if (ties->bars != NULL && is_given(options, given, ties->bars))
            return err_set(err, ERR_USAGE, "`--%s` does nothing with `--%s`", ties->name,
                           ties->bars);
    }
    return 0;
}

int cli_options_tied(int argc, char **argv, const struct cli_option *options,
                     const struct cli_tie *ties, const char **operands, size_t max,
                     size_t *count, struct err *err)
{
    bool given[CLI_OPTIONS_MAX] = {false};
    size_t found = 0;
    bool only_operands = false;
    if (argc == 2 && is_help(argv[1])) {
        cli_print_options(options);
        return -1;
    }
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!only_operands && strcmp(word, "--") == 0) {
            only_operands = true;
            continue;
        }
        if (!only_operands && strncmp(word, "--", 2) == 0) {
            if (read_option(argc, argv, &i, options, given, err) != 0)
                return -1;
            continue;
        }
        if (!only_operands && word[0] == '-' && word[1] != '\0')
            return err_set(err, ERR_USAGE, "unknown option `%s`: options begin with `--`",
                           word);
        if (found == max)
            return unexpected(options, word, err);
        operands[found++] = word;
    }
    if (count != NULL)
        *count = found;
    else if (found > 0)
        return unexpected(options, operands[0], err);
    return check_ties(options, ties, given, err);
}

int cli_options(int argc, char **argv, const struct cli_option *options, const char **operands,
                size_t max, size_t *count, struct err *err)
{
    static const struct cli_tie none[] = {CLI_TIES_END};
    return cli_options_tied(argc, argv, options, none, operands, max, count, err);
}

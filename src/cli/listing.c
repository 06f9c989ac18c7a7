/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows from the daemon as a person or a script wants them.  JSON and tab separated rows are printed as they come; a
 * table is kept as text until its widths are known, so a million volumes cost some tens of bytes each, not their JSON.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>

enum listing_form { FORM_TABLE, FORM_TABS, FORM_JSON_ARRAY, FORM_JSON_LINES };

#define COLUMNS_MAX 16u

struct listing {
	enum listing_form form;
	const struct column *column;
	size_t columns;
	uint64_t rows;
	struct buf cells;		/* table: each cell's text and a NUL, row by row */
	size_t width[COLUMNS_MAX];
};

json_t *member(const json_t *o, const char *path)
{
	const char *dot;
	char name[64];

	while (o && (dot = strchr(path, '.'))) {
		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		o = json_object_get(o, name);
		path = dot + 1;
	}
	return o ? json_object_get(o, path) : NULL;
}

/* What could move a terminal's cursor or break a row is shown as '?'. */
static int put_clean(struct buf *out, const char *text)
{
	int r = 0;

	for (; *text && !r; text++)
		r = buf_put_u8(out, iscntrl((unsigned char)*text) ? '?' : (uint8_t)*text);
	return r ? r : buf_reserve(out, 1);
}

static void put_number(struct buf *out, uint64_t n, enum column_kind kind, bool exact)
{
	char text[32];

	if (kind == COL_LIMIT && n == 0)
		buf_printf(out, "%s", exact ? "0" : "none");
	else if (kind == COL_COUNT || exact)
		buf_printf(out, "%llu", (unsigned long long)n);
	else
		buf_printf(out, "%s", kind == COL_TIME ? format_time(n, text) : format_size(n, text));
}

void cell_text(const json_t *value, enum column_kind kind, bool exact, struct buf *out)
{
	if (json_is_string(value) && json_string_length(value))
		put_clean(out, json_string_value(value));
	else if (json_is_integer(value))
		put_number(out, (uint64_t)json_integer_value(value), kind, exact);
	else if (json_is_real(value))
		buf_printf(out, exact ? "%.6f" : "%.2f", json_real_value(value));
	else if (json_is_boolean(value))
		buf_printf(out, "%s", json_is_true(value) ? "yes" : "no");
	else
		buf_printf(out, "-");
}

int listing_new(const struct args *a, const struct column *columns, size_t n, bool json_lines, struct listing **out)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l)
		return err_origin(-ENOMEM);
	if (args_has(a, OPT_JSON))
		l->form = json_lines ? FORM_JSON_LINES : FORM_JSON_ARRAY;
	else if (args_has(a, OPT_NO_HEADER))
		l->form = FORM_TABS;
	l->column = columns;
	l->columns = n;
	for (size_t i = 0; i < n; i++)
		l->width[i] = strlen(columns[i].head);
	*out = l;
	return 0;
}

static void row_json(struct listing *l, const json_t *row)
{
	if (l->form == FORM_JSON_ARRAY)
		fputs(l->rows ? ",\n" : "[\n", stdout);
	json_dumpf(row, stdout, JSON_COMPACT);
	if (l->form == FORM_JSON_LINES) {
		fputc('\n', stdout);
		fflush(stdout);
	}
}

static void row_tabs(struct listing *l, const json_t *row)
{
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < l->columns; i++) {
		if (i)
			buf_put_u8(&text, '\t');
		cell_text(member(row, l->column[i].path), l->column[i].kind, true, &text);
	}
	buf_put_u8(&text, '\n');
	fwrite(text.data, 1, text.len, stdout);
	buf_fini(&text);
}

static int row_table(struct listing *l, const json_t *row)
{
	for (size_t i = 0; i < l->columns; i++) {
		size_t before = l->cells.len;
		cell_text(member(row, l->column[i].path), l->column[i].kind, false, &l->cells);
		if (l->cells.len - before > l->width[i])
			l->width[i] = l->cells.len - before;
		int r = buf_put_u8(&l->cells, 0);
		if (r)
			return r;
	}
	return 0;
}

int listing_row(void *listing, const char *key, json_t *value)
{
	struct listing *l = listing;
	int r = 0;

	if (strcmp(key, "row") != 0)
		return 0;
	if (l->form == FORM_TABLE)
		r = row_table(l, value);
	else if (l->form == FORM_TABS)
		row_tabs(l, value);
	else
		row_json(l, value);
	l->rows++;
	return r || !ferror(stdout) ? r : err_explain(-EIO, "cannot write the output");
}

/* Numbers stand to the right, and nothing is padded behind the last column. */
static void print_cell(const struct listing *l, size_t i, const char *text)
{
	enum column_kind kind = l->column[i].kind;
	bool right = kind == COL_SIZE || kind == COL_LIMIT || kind == COL_COUNT;
	bool last = i + 1 == l->columns;
	int pad = (int)(l->width[i] - strlen(text));

	printf("%*s%s", right ? pad : 0, "", text);
	if (last)
		putchar('\n');
	else
		printf("%*s  ", right ? 0 : pad, "");
}

static void print_table(const struct listing *l)
{
	const char *p = (const char *)l->cells.data;

	for (size_t i = 0; i < l->columns; i++)
		print_cell(l, i, l->column[i].head);
	for (uint64_t row = 0; row < l->rows; row++) {
		for (size_t i = 0; i < l->columns; i++) {
			print_cell(l, i, p);
			p += strlen(p) + 1;
		}
	}
}

struct listing *listing_free(struct listing *l)
{
	if (!l)
		return NULL;
	if (l->form == FORM_TABLE && l->rows)
		print_table(l);
	else if (l->form == FORM_JSON_ARRAY)
		fputs(l->rows ? "\n]\n" : "[]\n", stdout);
	buf_fini(&l->cells);
	free(l);
	return NULL;
}

int listing_of(const struct args *a, json_t *request, const struct column *columns, size_t n)
{
	struct listing *l = NULL;
	int r;

	r = listing_new(a, columns, n, false, &l);
	if (r) {
		json_decref(request);
		return r;
	}
	r = store_ask(a, request, listing_row, l, NULL);
	if (r && l->rows == 0)
		l->form = FORM_TABLE;	/* nothing was found out: print nothing, not an empty list */
	listing_free(l);
	return r;
}

int listing_of_props(const struct args *a, json_t *request)
{
	static const struct column columns[] = {
		{ "PROPERTY", "property", COL_TEXT },
		{ "VALUE", "value", COL_TEXT },
		{ "VALUES", "values", COL_TEXT },
		{ "MEANING", "help", COL_TEXT },
	};

	return listing_of(a, request, columns, ARRAY_LEN(columns));
}

void print_object(const json_t *o, const struct column *columns, size_t n)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++)
		if (strlen(columns[i].head) > width)
			width = strlen(columns[i].head);
	for (size_t i = 0; i < n; i++) {
		struct buf text = BUF_INIT;
		cell_text(member(o, columns[i].path), columns[i].kind, false, &text);
		printf("%-*s  %.*s\n", (int)width, columns[i].head, (int)text.len, (const char *)text.data);
		buf_fini(&text);
	}
}

void print_json(const json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2));
	fputc('\n', stdout);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vtape volume create: by names, by a list of barcodes in a file, or so many by the pool's barcode.  A list is read and
 * judged as a whole before anything is asked of the store; what the store has against a name is told by its line too.
 */
#include "cli/cli.h"

#include <errno.h>

/* ---- a list of barcodes -------------------------------------------------------------------------------- */

struct list { json_t *names, *lines, *seen; };

/* The word on a line, without blanks and what follows a '#'; "" if there is none. */
static char *word_of(char *line)
{
	char *end;

	line[strcspn(line, "#\r\n")] = '\0';
	line += strspn(line, " \t");
	end = line + strlen(line);
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return line;
}

static int list_line(struct list *l, const char *word, int number)
{
	const json_t *before;

	if (!parse_is_name(word))
		return err_explain(-EINVAL, "line %d: \"%s\" is no name for a volume (1 to %d of A-Z a-z 0-9 . _ - +)",
				   number, word, BARCODE_MAX);
	before = json_object_get(l->seen, word);
	if (before)
		return err_explain(-EINVAL, "line %d: \"%s\" is on line %d already", number, word,
				   (int)json_integer_value(before));
	if (json_object_set_new(l->seen, word, json_integer(number)) ||
	    json_array_append_new(l->names, json_string(word)) || json_array_append_new(l->lines, json_integer(number)))
		return err_origin(-ENOMEM);
	return 0;
}

static int list_read(struct list *l, FILE *f)
{
	char *line = NULL, *word;
	size_t cap = 0;
	int r = 0, number = 0;
	ssize_t n;

	while (!r && (n = getline(&line, &cap, f)) >= 0) {
		number++;
		if (memchr(line, 0, (size_t)n)) {
			r = err_explain(-EINVAL, "line %d: this is no text", number);
			break;
		}
		word = word_of(line);
		if (*word)
			r = list_line(l, word, number);
	}
	free(line);
	if (!r && ferror(f))
		r = err_explain(-EIO, "the list cannot be read to its end");
	if (!r && !json_array_size(l->names))
		r = err_explain(-EINVAL, "there is no name in the list");
	return r;
}

/* @path "-": standard input. */
static int list_of_file(const char *path, struct list *l)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	int r;

	if (!f)
		return err_explain(-errno, "%s: %s", path, strerror(errno));
	l->seen = json_object();
	l->names = json_array();
	l->lines = json_array();
	r = list_read(l, f);
	json_decref(l->seen);
	if (f != stdin)
		fclose(f);
	if (!r)
		return 0;
	json_decref(l->names);
	json_decref(l->lines);
	return r;
}

/* ---- the verb ------------------------------------------------------------------------------------------ */

/* The names that were made are news only where they were not given. */
static void say_made(const json_t *ok)
{
	const char *first = json_string_value(json_object_get(ok, "first"));
	const char *last = json_string_value(json_object_get(ok, "last"));

	if (first && last)
		printf(strcmp(first, last) ? "%s to %s\n" : "%s\n", first, last);
}

int verb_volume_create(const struct args *a)
{
	int ways = (a->operands > 0) + args_has(a, OPT_COUNT) + args_has(a, OPT_FROM), r = 0;
	struct list l = { NULL, NULL, NULL };
	uint64_t count = 0;
	json_t *request, *ok = NULL;

	if (ways != 1)
		return err_explain(-EINVAL, "volume create: names, --from a file, or --count: one of them is needed");
	r = args_number(a, OPT_COUNT, 1000000, &count);
	if (!r && args_has(a, OPT_COUNT) && !count)
		r = err_explain(-EINVAL, "--count: none is not many");
	if (!r && args_has(a, OPT_FROM))
		r = list_of_file(a->value[OPT_FROM], &l);
	if (r)
		return r;
	request = json_pack("{s:s, s:s?, s:s?, s:b, s:b}", "verb", "volume.create", "pool", a->value[OPT_POOL],
			    "capacity", a->value[OPT_CAPACITY], "worm", args_has(a, OPT_WORM), "protect",
			    args_has(a, OPT_PROTECT));
	if (l.names) {
		json_object_set_new(request, "names", l.names);
		json_object_set_new(request, "lines", l.lines);
	} else if (count) {
		json_object_set_new(request, "count", json_integer((json_int_t)count));
	} else {
		json_object_set_new(request, "names", json_words(a->operand, a->operands));
	}
	r = progress_ask(a, "creating", request, -1, &ok);
	if (!r)
		say_made(ok);
	json_decref(ok);
	return r;
}

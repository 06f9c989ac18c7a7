/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options.  One table for all verbs: an option has one meaning, and may stand anywhere on the line.  Which verb takes
 * which is checked once the verb is known (main.c).
 */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>

const struct option_row options[OPTS] = {
	[OPT_STORE]         = { 's', "store", "STORE", "work on this store" },
	[OPT_HELP]          = { 'h', "help", NULL, "print this" },
	[OPT_JSON]          = { 0, "json", NULL, "print JSON with exact numbers" },
	[OPT_NO_HEADER]     = { 'H', "no-header", NULL, "for scripts: no header, tabs, exact numbers" },
	[OPT_PROGRESS]      = { 0, "progress", NULL, "print progress as lines" },
	[OPT_YES]           = { 'y', "yes", NULL, "do not ask before data goes" },
	[OPT_POOL]          = { 'p', "pool", "POOL", "in this pool" },
	[OPT_CAPACITY]      = { 0, "capacity", "SIZE", "where the tape ends; none: where the disk does" },
	[OPT_WORM]          = { 0, "worm", NULL, "write once" },
	[OPT_PROTECT]       = { 0, "protect", NULL, "write protected" },
	[OPT_DRIVES]        = { 0, "drives", "N", "how many emulated drives, 0 to 64 (4)" },
	[OPT_CHUNK_AVG]     = { 0, "chunk-avg", "SIZE", "average chunk, 8K to 256K (32K); for ever" },
	[OPT_COMPRESSION]   = { 0, "compression", "NAME", "of the pool \"default\": zstd, lz4, none" },
	[OPT_MOUNT_OPTIONS] = { 'o', "options", "OPTIONS", "mount options for FUSE, comma separated" },
	[OPT_ALLOW_OTHER]   = { 0, "allow-other", NULL, "let other users in" },
	[OPT_FOREGROUND]    = { 0, "foreground", NULL, "stay, and log to standard error" },
	[OPT_TIMEOUT]       = { 0, "timeout", "DURATION", "wait this long at most (2m; hooks: 60s)" },
	[OPT_WITH_VOLUMES]  = { 0, "with-volumes", NULL, "delete its volumes too" },
	[OPT_FORMAT]        = { 0, "format", "FORMAT", "of the image: tap, aws" },
	[OPT_OVERWRITE]     = { 0, "overwrite", NULL, "replace what is there" },
	[OPT_SINCE]         = { 0, "since", "WHEN", "from this event's number or this time on" },
	[OPT_SEVERITY]      = { 0, "severity", "SEVERITY", "at least this: info, warning, error" },
	[OPT_COUNT]         = { 'n', "count", "COUNT", "so many; of events the last, 0: all (50)" },
	[OPT_FOLLOW]        = { 'f', "follow", NULL, "wait for more" },
	[OPT_DRY_RUN]       = { 0, "dry-run", NULL, "change nothing, tell what would be done" },
	[OPT_RATE]          = { 0, "rate", "SIZE", "bytes in a second, at most (the store's)" },
	[OPT_LIVE]          = { 0, "live", "PERCENT", "copy what is in use out of packs that hold less (the store's)" },
	[OPT_WAIT]          = { 0, "wait", NULL, "until it is finished" },
	[OPT_DATA]          = { 0, "data", NULL, "read every chunk as well" },
	[OPT_REPAIR]        = { 0, "repair", NULL, "mend what loses nothing" },
	[OPT_UNTIL]         = { 0, "until", "DATE", "2027-01-31, 2027-01-31T12:00 or +30d" },
	[OPT_FOR]           = { 0, "for", "DURATION", "from now on: 12h, 30d, 1y" },
	[OPT_EVENT]         = { 0, "event", "NAMES", "only these events, commas between them" },
	[OPT_ABOUT]         = { 0, "about", "WHAT", "only about this pool, POOL/VOLUME, drive, hook or site" },
	[OPT_SITE]          = { 0, "site", "SITE", "whose volume it is" },
	[OPT_ACCESS]        = { 0, "access", "ACCESS", "secondary or restricted (restricted)" },
	[OPT_SERIAL]        = { 0, "serial", "SERIAL", "of the cartridge: 16 hexadecimal digits" },
	[OPT_GENERATION]    = { 0, "generation", "NUMBER", "that it has at its site" },
	[OPT_WRITTEN]       = { 0, "written", "DATE", "when its site last wrote it" },
	[OPT_FROM]          = { 0, "from", "FILE", "the names in this file, one on a line; -: standard input" },
	[OPT_STATE]         = { 0, "state", "STATE", "only of this state" },
	[OPT_SCRATCH]       = { 0, "scratch", NULL, "the next scratch volume" },
	[OPT_ID]            = { 0, "id", "VOLID", "of the label: 1 to 6 of A-Z 0-9 (the volume's name)" },
	[OPT_OWNER]         = { 0, "owner", "NAME", "of a file: name or number; of a label: up to 14 letters" },
	[OPT_IBM]           = { 0, "ibm", NULL, "an IBM label, in EBCDIC (ANSI)" },
	[OPT_REGEX]         = { 0, "regex", NULL, "PATTERN is a regular expression" },
	[OPT_EXACT]         = { 0, "exact", NULL, "PATTERN is the name itself" },
	[OPT_IGNORE_CASE]   = { 'i', "ignore-case", NULL, "capital letters or not" },
	[OPT_SIZE]          = { 0, "size", "SIZE", "+10M and more, -10M and less, 10M..1G" },
	[OPT_NEWER]         = { 0, "newer", "DATE", "changed since: 2026-01-31, 7d (ago)" },
	[OPT_OLDER]         = { 0, "older", "DATE", "changed before" },
	[OPT_TYPE]          = { 0, "type", "TYPES", "f, d, l, h, c, b, p, s, commas between them" },
	[OPT_VOLUME]        = { 0, "volume", "VOLUMES", "on these volumes, commas between them" },
	[OPT_NEWEST]        = { 0, "newest", NULL, "of each path the one that was written last" },
	[OPT_RECURSIVE]     = { 'R', "recursive", NULL, "folders in folders too" },
	[OPT_LONG]          = { 'l', "long", NULL, "mode, owner, size and time as well" },
	[OPT_DIRECTORY]     = { 'C', "directory", "FOLDER", "work in this folder" },
	[OPT_FIND]          = { 0, "find", NULL, "the operands are patterns, as those of find" },
	[OPT_ALL_VERSIONS]  = { 0, "all-versions", NULL, "every version, each in a folder VOLUME/FILE" },
	[OPT_KEEP_NEWER]    = { 0, "keep-newer", NULL, "replace what is older" },
	[OPT_STRIP]         = { 0, "strip", "COUNT", "take so many folders off the names" },
	[OPT_VERBOSE]       = { 'v', "verbose", NULL, "say what was done" },
	[OPT_VERSION]       = { 0, "version", NULL, "print the version" },
};

static const char *option_name(size_t i)
{
	return options[i].name;
}

static int args_take(struct args *a, enum opt o, const char *value)
{
	if (options[o].value && a->value[o])
		return err_explain(-EINVAL, "--%s is given twice", options[o].name);
	a->value[o] = value;
	return 0;
}

/* "--name" or "--name=value" at argv[*i]; the value may be the next word. */
static int parse_long(char **argv, int *i, struct args *a)
{
	const char *name = argv[*i] + 2, *eq = strchr(name, '=');
	size_t n = eq ? (size_t)(eq - name) : strlen(name);
	const char *near;

	for (enum opt o = 0; o < OPTS; o++) {
		if (strlen(options[o].name) != n || strncmp(options[o].name, name, n) != 0)
			continue;
		if (!options[o].value)
			return eq ? err_explain(-EINVAL, "--%s takes no value", options[o].name) : args_take(a, o, "");
		if (!eq && !argv[*i + 1])
			return err_explain(-EINVAL, "--%s needs its %s", options[o].name, options[o].value);
		return args_take(a, o, eq ? eq + 1 : argv[++*i]);
	}
	near = nearest(name, option_name, OPTS);
	if (near)
		return err_explain(-EINVAL, "there is no option --%.*s; did you mean --%s?", (int)n, name, near);
	return err_explain(-EINVAL, "there is no option --%.*s; `vtape help VERB` lists a verb's options", (int)n,
			   name);
}

/* "-y", "-pPOOL", "-p POOL", and flags in a row. */
static int parse_letters(char **argv, int *i, struct args *a)
{
	for (const char *p = argv[*i] + 1; *p; p++) {
		enum opt o = 0;
		int r;

		while (o < OPTS && options[o].letter != *p)
			o++;
		if (o == OPTS)
			return err_explain(-EINVAL, "there is no option -%c; `vtape help VERB` lists a verb's options",
					   *p);
		if (!options[o].value) {
			args_take(a, o, "");
			continue;
		}
		if (!p[1] && !argv[*i + 1])
			return err_explain(-EINVAL, "-%c needs its %s", *p, options[o].value);
		r = args_take(a, o, p[1] ? p + 1 : argv[++*i]);
		return r;
	}
	return 0;
}

int args_parse(int argc, char **argv, struct args *out)
{
	struct args a = { .operand = argv };
	bool only_operands = false;
	int r = 0;

	for (int i = 1; i < argc && !r; i++) {
		char *word = argv[i];
		if (only_operands || word[0] != '-' || !word[1])
			argv[a.operands++] = word;	/* never ahead of i: argv[0] is not looked at */
		else if (!strcmp(word, "--"))
			only_operands = true;
		else if (word[1] == '-')
			r = parse_long(argv, &i, &a);
		else
			r = parse_letters(argv, &i, &a);
	}
	if (r)
		return r;
	argv[a.operands] = NULL;
	*out = a;
	return 0;
}

int args_number(const struct args *a, enum opt o, uint64_t max, uint64_t *out)
{
	const char *s = a->value[o];
	unsigned long long n;
	char *end;

	if (!s)
		return 0;
	errno = 0;
	n = strtoull(s, &end, 10);
	if (!isdigit((unsigned char)s[0]) || *end || errno || n > max)
		return err_explain(-EINVAL, "--%s: \"%s\" is not a number from 0 to %llu", options[o].name, s,
				   (unsigned long long)max);
	*out = n;
	return 0;
}

int args_size(const struct args *a, enum opt o, json_t **out)
{
	uint64_t v;
	int r;

	*out = NULL;
	if (!args_has(a, o))
		return 0;
	r = parse_size(a->value[o], &v);
	if (!r && v > INT64_MAX)
		r = err_explain(-ERANGE, "--%s: \"%s\" is too large a size", options[o].name, a->value[o]);
	if (!r)
		*out = json_integer((json_int_t)v);
	return r;
}

int args_pass(const struct args *a, enum opt o, const char *as, const char *argv[], int n)
{
	if (!args_has(a, o))
		return n;
	argv[n++] = as;
	if (options[o].value)
		argv[n++] = a->value[o];
	return n;
}

/* How many letters must be changed, added or left out; more than 63 letters are far from everything. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[64] = { 0 }, n = (unsigned)strnlen(b, ARRAY_LEN(row));

	if (n == ARRAY_LEN(row))
		return n;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned corner = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned swap = corner + (a[i - 1] != b[j - 1]);
			corner = row[j];
			unsigned other = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
			row[j] = swap < other ? swap : other;
		}
	}
	return row[n];
}

const char *nearest(const char *word, const char *(*name)(size_t i), size_t n)
{
	unsigned best = 1 + (unsigned)strlen(word) / 3;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(word, name(i));
		if (d <= best && (!found || d < best)) {
			best = d;
			found = name(i);
		}
	}
	return found;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What find, ls and restore have in common: places and patterns as a person types them, and rows of members, printed as
 * they come.  Names are bytes: a pipe gets them as they are, a terminal without what could move its cursor.
 */
#include "cli/members.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

/* ---- what is asked for ------------------------------------------------------------------------------------------ */

/* Words that are not UTF-8 travel as hex. */
int put_word(json_t *o, const char *key, const char *raw_key, const char *word)
{
	int r = ctl_put_bytes(o, key, raw_key, word);

	if (!r && json_object_get(o, raw_key))
		json_object_del(o, key);
	return r;
}

json_t *place_words(const char *typed)
{
	const char *file = strchr(typed, ':'), *path = file ? strchr(file + 1, ':') : NULL;
	json_t *o = json_object();
	int r = o ? 0 : -ENOMEM;

	if (!r && json_object_set_new(o, "volume", json_stringn(typed, file ? (size_t)(file - typed) : strlen(typed))))
		r = -EINVAL;
	/* "VOLUME:" alone is the volume. */
	if (!r && file && file[1] &&
	    json_object_set_new(o, "file", json_stringn(file + 1, path ? (size_t)(path - file - 1) : strlen(file + 1))))
		r = -EINVAL;
	if (!r && path)
		r = put_word(o, "path", "path_raw", path + 1);
	if (!r)
		return o;
	json_decref(o);
	return NULL;
}

/* Words with commas between them. */
static json_t *comma_words(const char *typed)
{
	json_t *a = json_array();

	while (*typed) {
		size_t n = strcspn(typed, ",");
		if (n && json_array_append_new(a, json_stringn(typed, n)) < 0) {
			json_decref(a);
			return NULL;
		}
		typed += n + (typed[n] == ',');
	}
	return a;
}

static int put_number(json_t *o, const char *key, uint64_t n)
{
	if (n > INT64_MAX)
		return err_explain(-ERANGE, "that is too large");
	return json_object_set_new(o, key, json_integer((json_int_t)n)) ? -ENOMEM : 0;
}

static int one_size(const char *word, uint64_t *out)
{
	int r = parse_size(word, out);

	return r ? err_explain(-EINVAL, "\"%s\" is not a size (examples: +10M, -4K, 10M..1G)", word) : 0;
}

/* "+10M" and more, "-10M" and less, "10M..1G", "10M" exactly. */
static int put_sizes(json_t *o, const char *typed)
{
	const char *dots = strstr(typed, "..");
	uint64_t least = 0, most = 0;
	char first[32];
	int r = 0;

	if (dots) {
		snprintf(first, sizeof(first), "%.*s", (int)(dots - typed), typed);
		r = first[0] ? one_size(first, &least) : 0;
		if (!r && dots[2])
			r = one_size(dots + 2, &most);
	} else if (typed[0] == '+') {
		r = one_size(typed + 1, &least);
	} else {
		r = one_size(typed + (typed[0] == '-'), &most);
		least = typed[0] == '-' ? 0 : most;
	}
	if (!r && least)
		r = put_number(o, "size_min", least);
	if (!r && most)
		r = put_number(o, "size_max", most);
	else if (!r && !dots && typed[0] != '+')
		return err_explain(-EINVAL, "--size: say -1 for empty ones and what is as small");
	return r;
}

/* "7d" is that long ago. */
static int put_moment(json_t *o, const char *key, const char *typed)
{
	uint64_t ns, seconds, now = clock_now_ns() / 1000000000u;
	int r;

	if (parse_duration(typed, &seconds) == 0)
		return put_number(o, key, seconds < now ? now - seconds : 1);
	err_clear();
	r = when_parse_past(typed, &ns);
	return r ? r : put_number(o, key, ns / 1000000000u);
}

static int put_types(json_t *o, const char *typed)
{
	char types[16] = "";
	size_t n = 0;

	for (; *typed; typed++) {
		if (*typed == ',')
			continue;
		if (!strchr("fdlhcbps", *typed) || n + 1 == sizeof(types))
			return err_explain(-EINVAL, "--type: \"%c\" is no type (f, d, l, h, c, b, p, s)", *typed);
		types[n++] = *typed;
	}
	return json_object_set_new(o, "types", json_string(types)) ? -ENOMEM : 0;
}

static int put_query(const struct args *a, json_t *o)
{
	const char *match = args_has(a, OPT_REGEX) ? "regex" : args_has(a, OPT_EXACT) ? "exact" : "glob";
	uint64_t limit = 0;
	int r = 0;

	if (args_has(a, OPT_REGEX) && args_has(a, OPT_EXACT))
		return err_explain(-EINVAL, "--regex and --exact: one of them");
	if (json_object_set_new(o, "match", json_string(match)) ||
	    json_object_set_new(o, "ignore_case", json_boolean(args_has(a, OPT_IGNORE_CASE))) ||
	    json_object_set_new(o, "newest", json_boolean(args_has(a, OPT_NEWEST))))
		return -ENOMEM;
	if (args_has(a, OPT_SIZE))
		r = put_sizes(o, a->value[OPT_SIZE]);
	if (!r && args_has(a, OPT_NEWER))
		r = put_moment(o, "mtime_from", a->value[OPT_NEWER]);
	if (!r && args_has(a, OPT_OLDER))
		r = put_moment(o, "mtime_to", a->value[OPT_OLDER]);
	if (!r && args_has(a, OPT_TYPE))
		r = put_types(o, a->value[OPT_TYPE]);
	if (!r)
		r = args_number(a, OPT_COUNT, INT64_MAX, &limit);
	if (!r && limit)
		r = put_number(o, "limit", limit);
	if (!r && args_has(a, OPT_OWNER))
		r = json_object_set_new(o, "owner", json_string(a->value[OPT_OWNER])) ? -EINVAL : 0;
	if (!r && args_has(a, OPT_POOL))
		r = json_object_set_new(o, "pool", json_string(a->value[OPT_POOL])) ? -EINVAL : 0;
	if (!r && args_has(a, OPT_VOLUME))
		r = json_object_set_new(o, "volumes", comma_words(a->value[OPT_VOLUME])) ? -EINVAL : 0;
	return r;
}

int query_words(const struct args *a, const char *pattern, json_t **out)
{
	json_t *o = json_object();
	int r = o ? put_query(a, o) : -ENOMEM;

	if (!r && pattern)
		r = put_word(o, "pattern", "pattern_raw", pattern);
	if (r) {
		json_decref(o);
		return r;
	}
	*out = o;
	return 0;
}

/* ---- what is told ----------------------------------------------------------------------------------------------- */

static void print_name(const char *s, bool terminal)
{
	for (; *s; s++)
		putchar(terminal && (iscntrl((unsigned char)*s)) ? '?' : *s);
}

/* On a terminal what is UTF-8; else the bytes. */
void print_bytes(const json_t *row, const char *key, const char *raw_key, bool terminal)
{
	CLEANUP(buf_fini) struct buf bytes = BUF_INIT;
	const char *clean = json_string_value(json_object_get(row, key));

	if (terminal)
		print_name(clean ? clean : "", true);
	else if (!ctl_get_bytes(row, key, raw_key, &bytes))
		print_name((const char *)bytes.data, false);
}

static long long number(const json_t *row, const char *key)
{
	return (long long)json_integer_value(json_object_get(row, key));
}

static const char *word(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

/* A name or, if none is said, a number. */
static const char *owner(const json_t *row, const char *name, const char *id, char out[64])
{
	snprintf(out, 64, "%s", word(row, name));
	for (char *p = out; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	if (!out[0])
		snprintf(out, 64, "%lld", number(row, id));
	return out;
}

/* Times before 1970 are told too. */
static const char *moment(const json_t *row, char out[32])
{
	long long ns = number(row, "mtime_ns");
	time_t t = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0));
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(out, 32, "-");
	return out;
}

static void print_tabs(const struct members *m, const json_t *row)
{
	char id[64];

	printf("%s\t%lld\t%s\t%lld\t%lld\t", word(row, "volume"), number(row, "file"), word(row, "type"),
	       number(row, "size_bytes"), number(row, "mtime_ns"));
	printf("%s\t", owner(row, "user", "uid", id));
	print_bytes(row, "path", "raw", m->terminal);
	putchar('\n');
}

static void print_line(struct members *m, const json_t *row)
{
	char id[64], when[32], size[16];

	if (!m->rows)
		printf("%-10s %4s  T %10s  %-19s  %-8s  %s\n", "VOLUME", "FILE", "SIZE", "TIME", "OWNER", "PATH");
	printf("%-10s %4lld  %s %10s  %-19s  ", word(row, "volume"), number(row, "file"), word(row, "type"),
	       format_size((uint64_t)number(row, "size_bytes"), size), moment(row, when));
	printf("%-8s  ", owner(row, "user", "uid", id));
	print_bytes(row, "path", "raw", m->terminal);
	putchar('\n');
}

static void mode_word(const json_t *row, char out[11])
{
	const char *type = word(row, "type");
	long long mode = number(row, "mode");

	snprintf(out, 11, "%c---------", !type[0] || type[0] == 'f' || type[0] == 'h' ? '-' : type[0]);
	for (int i = 0; i < 9; i++)
		if (mode & (0400 >> i))
			out[1 + i] = "rwx"[i % 3];
	if (mode & 04000)
		out[3] = out[3] == 'x' ? 's' : 'S';
	if (mode & 02000)
		out[6] = out[6] == 'x' ? 's' : 'S';
	if (mode & 01000)
		out[9] = out[9] == 'x' ? 't' : 'T';
}

/* As ls -l has it. */
static void print_long(const struct members *m, const json_t *row)
{
	const char *device = word(row, "device"), *type = word(row, "type");
	char mode[11], uid[64], gid[64], when[32], size[24];

	mode_word(row, mode);
	snprintf(size, sizeof(size), "%lld", number(row, "size_bytes"));
	printf("%s %-8s %-8s %12s %s ", mode, owner(row, "user", "uid", uid), owner(row, "group", "gid", gid),
	       device[0] ? device : size, moment(row, when));
	print_bytes(row, "path", "raw", m->terminal);
	if (json_object_get(row, "link")) {
		fputs(*type == 'h' ? " link to " : " -> ", stdout);
		print_bytes(row, "link", "link_raw", m->terminal);
	}
	if (json_object_get(row, "before"))
		printf(" (from byte %lld on)", number(row, "before"));
	if (json_object_get(row, "missing"))
		printf(" (without the last %lld bytes)", number(row, "missing"));
	putchar('\n');
}

static void print_short(const struct members *m, const json_t *row)
{
	print_bytes(row, "path", "raw", m->terminal);
	puts(!strcmp(word(row, "type"), "d") ? "/" : "");
}

static void print_json_row(const struct members *m, const json_t *row)
{
	if (m->form == MEMBERS_JSON_ARRAY)
		fputs(m->rows ? ",\n" : "[\n", stdout);
	json_dumpf(row, stdout, JSON_COMPACT);
	if (m->form == MEMBERS_JSON_LINES)
		putchar('\n');
}

void members_begin(struct members *m, const struct args *a, enum members_form form)
{
	*m = (struct members){ .form = form, .terminal = isatty(STDOUT_FILENO) };
	if (args_has(a, OPT_JSON))
		m->form = form == MEMBERS_TABLE ? MEMBERS_JSON_LINES : MEMBERS_JSON_ARRAY;
	else if (args_has(a, OPT_NO_HEADER))
		m->form = MEMBERS_TABS;
}

int members_row(void *members, const char *key, json_t *row)
{
	struct members *m = members;

	if (strcmp(key, "row") != 0) {
		fflush(stdout);		/* there may be nothing for a while: what there is may be wanted */
	} else {
		switch (m->form) {
		case MEMBERS_TABLE: print_line(m, row); break;
		case MEMBERS_LONG: print_long(m, row); break;
		case MEMBERS_SHORT: print_short(m, row); break;
		case MEMBERS_TABS: print_tabs(m, row); break;
		default: print_json_row(m, row);
		}
		m->rows++;
	}
	return ferror(stdout) ? err_explain(-EIO, "cannot write the output: %s", strerror(errno)) : 0;
}

void members_end(const struct members *m, bool failed)
{
	if (m->form == MEMBERS_JSON_ARRAY && (m->rows || !failed))
		fputs(m->rows ? "\n]\n" : "[]\n", stdout);
	fflush(stdout);
}

void pending_tell(const json_t *ok)
{
	const json_t *p = json_object_get(ok, "pending");
	long long files = number(p, "files");

	if (files)
		fprintf(stderr, "vtape: %lld tape files are still to be looked at, what is in them is not told yet "
			"(`vtape contents settle` waits for it)\n", files);
}

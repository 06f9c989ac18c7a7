/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shell patterns against names and paths: fnmatch(3)'s with FNM_PATHNAME, and "**" that crosses slashes ("**" and a
 * slash: no folder, or any).  '?' and brackets take a character of UTF-8, or where it is none, a byte.  What is
 * matched is foreign, and the pattern is a user's: it never goes back further than to the last "*" and the last
 * "**".
 */
#include "contents/glob.h"

#include <ctype.h>

#define BYTE_BASE 0x110000u	/* a byte that is no part of UTF-8 */

/* The character at *s, which moves behind it. */
static uint32_t next_char(const char **s)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = (const uint8_t *)*s;
	unsigned more = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : p[0] < 0xf5 ? 3 : 0;
	uint32_t c = more ? p[0] & (0x3fu >> more) : p[0];

	for (unsigned i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			more = 0;
		else
			c = c << 6 | (p[i] & 0x3f);
	}
	if (more && c >= least[more]) {
		*s += more + 1;
		return c;
	}
	*s += 1;
	return p[0] < 0x80 ? p[0] : BYTE_BASE + p[0];
}

static uint32_t fold(uint32_t c, bool ignore_case)
{
	return ignore_case && c < 0x80 ? (uint32_t)tolower((int)c) : c;
}

static bool class_has(const char *name, size_t len, uint32_t c)
{
	static const struct { const char *name; int (*has)(int); } classes[] = {
		{ "alpha", isalpha }, { "digit", isdigit }, { "alnum", isalnum }, { "upper", isupper },
		{ "lower", islower }, { "space", isspace }, { "blank", isblank }, { "punct", ispunct },
		{ "print", isprint }, { "graph", isgraph }, { "cntrl", iscntrl }, { "xdigit", isxdigit },
	};

	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (strlen(classes[i].name) == len && !memcmp(classes[i].name, name, len))
			return c < 0x80 && classes[i].has((int)c);
	return false;
}

/* Behind the ']' of the bracket at @p; NULL: it has none, so '[' stands for itself. */
static const char *bracket_end(const char *p)
{
	p++;
	if (*p == '!' || *p == '^')
		p++;
	if (*p == ']')
		p++;
	while (*p && *p != ']' && *p != '/') {
		const char *end = p[0] == '[' && p[1] == ':' ? strstr(p + 2, ":]") : NULL;

		if (end)
			p = end + 2;
		else
			p += p[0] == '\\' && p[1] && p[1] != '/' ? 2 : 1;
	}
	return *p == ']' ? p + 1 : NULL;
}

static uint32_t bracket_char(const char **p)
{
	if (**p == '\\')
		++*p;
	return next_char(p);
}

/* @c stands between '[' and ']'; @p is at the '[', @end behind the ']'. */
static bool bracket_has_char(const char *p, const char *end, uint32_t c)
{
	bool has = false;

	p += p[1] == '!' || p[1] == '^' ? 2 : 1;
	while (p < end - 1) {
		const char *close = p[0] == '[' && p[1] == ':' ? strstr(p + 2, ":]") : NULL;
		uint32_t from, to;

		if (close && close < end) {
			has = has || class_has(p + 2, (size_t)(close - p - 2), c);
			p = close + 2;
			continue;
		}
		from = to = bracket_char(&p);
		if (p[0] == '-' && p + 1 < end - 1) {
			p++;
			to = bracket_char(&p);
		}
		has = has || (c >= from && c <= to);
	}
	return has;
}

static bool bracket_fits(const char *p, const char *end, uint32_t c, bool ignore_case)
{
	bool not = p[1] == '!' || p[1] == '^', has = bracket_has_char(p, end, c);

	if (ignore_case && c < 0x80)
		has = has || bracket_has_char(p, end, (uint32_t)tolower((int)c)) ||
		      bracket_has_char(p, end, (uint32_t)toupper((int)c));
	return has != not;
}

/* One character of both, no star; both move on. */
static bool match_one(const char **p, const char **s, bool ignore_case)
{
	const char *at = *s, *end = **p == '[' ? bracket_end(*p) : NULL;
	uint32_t c = next_char(&at);
	bool fits;

	if (**p == '?' || end) {
		fits = c != '/' && (!end || bracket_fits(*p, end, c, ignore_case));
		*p = end ? end : *p + 1;
	} else {
		if (**p == '\\' && (*p)[1])
			++*p;
		fits = fold(next_char(p), ignore_case) == fold(c, ignore_case);
	}
	*s = at;
	return fits;
}

/* Where a star may be tried again: with what is behind it in the pattern, from @s on. */
struct star {
	const char *p, *s;
	bool parts;		/* "**" and a slash: only where a part begins */
};

static bool star_again(struct star *star, bool deep)
{
	if (!star->p || !*star->s || (!deep && *star->s == '/'))
		return false;
	do
		next_char(&star->s);
	while (star->parts && *star->s && star->s[-1] != '/');
	return !star->parts || star->s[-1] == '/';
}

bool glob_fits(const char *pattern, const char *s, bool ignore_case)
{
	struct star one = { 0 }, deep = { 0 };
	const char *p = pattern;

	for (;;) {
		if (p[0] == '*' && p[1] == '*') {
			bool begins = p == pattern || p[-1] == '/';

			p += strspn(p, "*");
			deep.parts = begins && *p == '/';
			p += deep.parts;
			deep.p = p;
			deep.s = s;
			one.p = NULL;
		} else if (*p == '*') {
			one = (struct star){ ++p, s, false };
		} else if (!*s) {
			return !*p;
		} else if (*p && match_one(&p, &s, ignore_case)) {
			continue;
		} else if (star_again(&one, false)) {
			p = one.p;
			s = one.s;
		} else if (star_again(&deep, true)) {
			p = deep.p;
			s = deep.s;
			one.p = NULL;
		} else {
			return false;
		}
	}
}

bool glob_is_literal(const char *pattern)
{
	return !strpbrk(pattern, "*?[\\");
}

void glob_prefix(const char *pattern, char *out, size_t cap)
{
	size_t n = 0;

	for (const char *p = pattern; *p && !strchr("*?[", *p) && n + 1 < cap; p++) {
		if (*p == '\\' && p[1])
			p++;
		out[n++] = *p;
	}
	out[n] = 0;
}

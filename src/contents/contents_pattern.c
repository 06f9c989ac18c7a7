/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a query asks of names and paths, made ready: which names of the index may fit, and whether a name and a path
 * do. The index has the last parts of paths only, so of a pattern with '/' the last part goes to the index and the
 * whole to the paths of what it finds.
 */
#include "contents/find.h"
#include "contents/glob.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define PATTERN_MAX 65536u

struct pattern {
	enum contents_match match;
	bool ignore_case, all, folders_only;
	bool by_path;			/* it says something about the folders too */
	bool whole_path;		/* from the root on */
	bool slash_first;		/* a regular expression: the path gets a '/' in front */
	char *text;			/* without slashes in front and behind */
	char *name;			/* a glob, or the name, of the last part; NULL: any */
	char *parent;			/* the name of the folder that it is in; "": the root; NULL: any */
	char prefix[CONTENTS_KEY_WHOLE + 1];
	bool exact;			/* @prefix... is the name: @name is literal */
	struct regex *regex;
};

struct pattern *pattern_free(struct pattern *p)
{
	if (p) {
		regex_free(p->regex);
		free(p->text);
		free(p->name);
		free(p->parent);
		free(p);
	}
	return NULL;
}

static void pattern_freep(struct pattern **p)
{
	*p = pattern_free(*p);
}

/* ---- regular expressions ---- */

/* "^name...": names begin so. */
static void regex_prefix(struct pattern *p)
{
	const char *s = p->text;
	size_t n = 0;

	if (*s != '^' || strchr(s, '|') || p->ignore_case)
		return;
	for (s++; (isalnum((unsigned char)*s) || *s == '_' || *s == '-') && n < sizeof(p->prefix) - 1; s++)
		p->prefix[n++] = *s;
	if (n && *s && strchr("*?{", *s))
		n--;
	p->prefix[n] = 0;
}

static int compile_regex(struct pattern *p, const char *text)
{
	int r = regex_new(text, p->ignore_case, &p->regex);

	if (r)
		return r;
	p->text = strdup(text);
	if (!p->text)
		return err_origin(-ENOMEM);
	p->by_path = strchr(text, '/');
	p->slash_first = text[0] != '^' || text[1] == '/';
	if (!p->by_path)
		regex_prefix(p);
	return 0;
}

/* ---- globs and names ---- */

/* The last part; where "**" may stand for several parts, what is behind it. */
static char *last_part(const struct pattern *p)
{
	const char *slash = strrchr(p->text, '/'), *part = slash ? slash + 1 : p->text, *deep = NULL;

	for (const char *s = part; p->match == MATCH_GLOB && p->by_path && *s; s++)
		if (s[0] == '*' && s[1] == '*')
			deep = s + 1;
	return strdup(deep ? deep : part);
}

/* One that is cut by a long pattern serves as well: it only says where to look. */
static void name_prefix(struct pattern *p)
{
	p->exact = !p->ignore_case && (p->match == MATCH_EXACT || glob_is_literal(p->name));
	if (p->ignore_case)
		return;
	if (p->match == MATCH_GLOB)
		glob_prefix(p->name, p->prefix, sizeof(p->prefix));
	else
		strncat(p->prefix, p->name, sizeof(p->prefix) - 1);
}

/* -ENOMEM. */
static int find_parent(struct pattern *p)
{
	const char *slash = strrchr(p->text, '/'), *begin = slash;

	if (p->ignore_case || (!slash && !p->whole_path) || (p->match == MATCH_GLOB && strstr(p->text, "**")))
		return 0;
	while (slash && begin > p->text && begin[-1] != '/')
		begin--;
	p->parent = slash ? strndup(begin, (size_t)(slash - begin)) : strdup("");
	if (!p->parent)
		return err_origin(-ENOMEM);
	if (slash && (!*p->parent || (p->match == MATCH_GLOB && !glob_is_literal(p->parent)))) {
		free(p->parent);
		p->parent = NULL;
	}
	return 0;
}

static int compile_words(struct pattern *p, const char *text)
{
	size_t n;

	p->whole_path = *text == '/';
	text += strspn(text, "/");
	n = strlen(text);
	while (n && text[n - 1] == '/')
		n--;
	p->folders_only = text[n] == '/';
	p->text = strndup(text, n);
	if (!p->text)
		return err_origin(-ENOMEM);
	p->all = !n;
	p->by_path = p->whole_path || strchr(p->text, '/');
	p->name = last_part(p);
	if (!p->name)
		return err_origin(-ENOMEM);
	name_prefix(p);
	return p->all ? 0 : find_parent(p);
}

int pattern_new(const struct contents_query *q, struct pattern **out)
{
	CLEANUP(pattern_freep) struct pattern *p = calloc(1, sizeof(*p));
	const char *text = q->pattern ? q->pattern : "";
	int r = 0;

	if (!p)
		return err_origin(-ENOMEM);
	p->match = q->match;
	p->ignore_case = q->ignore_case;
	if (strlen(text) > PATTERN_MAX)
		return err_explain(-EINVAL, "a pattern of more than %u bytes", PATTERN_MAX);
	if (!*text)
		p->all = true;
	else if (q->match == MATCH_REGEX)
		r = compile_regex(p, text);
	else
		r = compile_words(p, text);
	if (!r)
		*out = STEAL(p);
	return r;
}

const char *pattern_exact(const struct pattern *p)
{
	return p->exact && !p->all ? p->name : NULL;
}

const char *pattern_prefix(const struct pattern *p)
{
	return p->prefix;
}

const char *pattern_parent(const struct pattern *p)
{
	return p->parent;
}

bool pattern_folders_only(const struct pattern *p)
{
	return p->folders_only;
}

/* ---- does it fit? ---- */

static int words_fit(const struct pattern *p, const char *words, const char *s)
{
	bool fits = p->match == MATCH_GLOB ? glob_fits(words, s, p->ignore_case) :
					     !(p->ignore_case ? strcasecmp(words, s) : strcmp(words, s));

	return fits ? 0 : CONTENTS_E_NONE;
}

int pattern_fits_name(const struct pattern *p, const char *name, bool whole)
{
	if (p->all || (p->regex && p->by_path) || !whole)
		return 0;
	return p->regex ? regex_fits(p->regex, name) : words_fit(p, p->name, name);
}

static int regex_fits_path(const struct pattern *p, const char *path)
{
	CLEANUP(freep) char *slashed = NULL;

	if (!p->slash_first)
		return regex_fits(p->regex, path);
	if (asprintf(&slashed, "/%s", path) < 0) {
		slashed = NULL;
		return err_origin(-ENOMEM);
	}
	return regex_fits(p->regex, slashed);
}

int pattern_fits_path(const struct pattern *p, const char *path)
{
	if (p->all || !p->by_path)
		return 0;
	if (p->regex)
		return regex_fits_path(p, path);
	if (p->whole_path)
		return words_fit(p, p->text, path);
	for (const char *s = path; s; s = strchr(s, '/')) {
		s += *s == '/';
		if (!words_fit(p, p->text, s))
			return 0;
	}
	return CONTENTS_E_NONE;
}

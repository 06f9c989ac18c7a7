/* SPDX-License-Identifier: BSD-2-Clause */
/* Shell patterns, regular expressions, and which part of them the index gets. */
#include "rig.h"

#include "contents/find.h"
#include "contents/glob.h"

static void globs_fit_as_those_of_a_shell(void **state)
{
	static const struct { const char *pattern, *fits, *fits_not; } rows[] = {
		{ "*.conf", "a.conf .conf", "a.cnf a/b.conf" },
		{ "a?c", "abc a\xc3\xa4" "c a\xff" "c", "ac abbc a/c" },
		{ "[a-c]x", "ax cx", "dx xx" },
		{ "[!a-c]x", "dx", "ax /x" },
		{ "[^]]x", "ax", "]x" },
		{ "[]a]x", "]x ax", "bx" },
		{ "[[:digit:]]", "7", "a" },
		{ "[\xc3\xa4-\xc3\xbc]", "\xc3\xb6", "o" },
		{ "[ab", "[ab", "a b" },
		{ "a\\*b", "a*b", "axb" },
		{ "a*b*c", "abc aXbYc aabbcc", "acb ab" },
		{ "*a*a*a*", "aaa xaxaxax", "aa" },
		{ "**/b", "b a/b a/c/b", "ab a/cb" },
		{ "a/**/b", "a/b a/x/b a/x/y/b", "ab a/xb" },
		{ "a/**", "a/b a/b/c", "a b/a" },
		{ "a/*/c", "a/b/c", "a/c a/b/b/c" },
		{ "**x*/y", "x/y a/bxb/y", "x/a/y" },
		{ "*", "a .a", "a/b" },
		{ "", "", "a" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char words[128], *save;

		strcpy(words, rows[i].fits);
		for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
			if (!glob_fits(rows[i].pattern, w, false))
				fail_msg("%s should fit %s", rows[i].pattern, w);
		strcpy(words, rows[i].fits_not);
		for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
			if (glob_fits(rows[i].pattern, w, false))
				fail_msg("%s should not fit %s", rows[i].pattern, w);
	}
	assert_true(glob_fits("Make[A-F]*", "mAKEfile", true));
	assert_true(glob_fits("[[:upper:]]", "a", true));
	assert_false(glob_fits("make", "Make", false));
}

/* Against trying every way. */
static bool slow_fits(const char *begin, const char *p, const char *s)
{
	if (p[0] == '*' && p[1] == '*') {
		const char *rest = p + strspn(p, "*");

		if (*rest == '/' && (p == begin || p[-1] == '/')) {
			if (slow_fits(begin, rest + 1, s))
				return true;
			for (; *s; s++)
				if (*s == '/' && slow_fits(begin, rest + 1, s + 1))
					return true;
			return false;
		}
		for (;; s++) {
			if (slow_fits(begin, rest, s))
				return true;
			if (!*s)
				return false;
		}
	}
	if (*p == '*') {
		for (;; s++) {
			if (slow_fits(begin, p + 1, s))
				return true;
			if (!*s || *s == '/')
				return false;
		}
	}
	if (!*p || !*s)
		return !*p && !*s;
	if (*p == '?' ? *s != '/' : *p == *s)
		return slow_fits(begin, p + 1, s + 1);
	return false;
}

static uint32_t roll(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void globs_fit_whenever_any_way_does(void **state)
{
	static const char *const pieces[] = { "a", "b", "?", "*", "/", "a/", "*a", "/**/", "b/*" };
	uint32_t seed = 7;
	unsigned fits = 0;

	for (unsigned run = 0; run < 300000; run++) {
		char pattern[64] = "", s[24];
		unsigned n = roll(&seed) % 9;

		if (roll(&seed) % 4 == 0)
			strcpy(pattern, "**/");
		for (unsigned i = roll(&seed) % 6; i > 0; i--)
			strcat(pattern, pieces[roll(&seed) % ARRAY_LEN(pieces)]);
		for (unsigned i = 0; i < n; i++)
			s[i] = "ab/"[roll(&seed) % 3];
		s[n] = 0;
		if (strstr(pattern, "***") || strstr(pattern, "//") || strstr(s, "//") || s[0] == '/')
			continue;
		if (glob_fits(pattern, s, false) != slow_fits(pattern, pattern, s))
			fail_msg("%s and %s", pattern, s);
		fits += glob_fits(pattern, s, false);
	}
	assert_true(fits > 3000);
}

static struct pattern *pattern_of(const char *text, enum contents_match match, bool ignore_case)
{
	struct contents_query q = { .pattern = text, .match = match, .ignore_case = ignore_case };
	struct pattern *p;

	assert_int_equal(pattern_new(&q, &p), 0);
	return p;
}

static void assert_fits(const char *text, enum contents_match match, const char *path, bool want)
{
	struct pattern *p = pattern_of(text, match, false);
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *exact = pattern_exact(p);
	bool fits = !pattern_fits_name(p, name, true) && !pattern_fits_path(p, path);

	if (fits != want)
		fail_msg("%s: %s", text, path);
	if (want && (strncmp(name, pattern_prefix(p), strlen(pattern_prefix(p))) || (exact && strcmp(exact, name))))
		fail_msg("%s: the index would not have %s", text, name);
	pattern_free(p);
}

static void without_a_slash_it_is_about_the_last_part(void **state)
{
	assert_fits("passwd", MATCH_GLOB, "etc/passwd", true);
	assert_fits("passwd", MATCH_GLOB, "passwd/x", false);
	assert_fits("pass*", MATCH_GLOB, "a/b/passwd", true);
	assert_fits("p**d", MATCH_GLOB, "passwd", true);
	assert_fits("pass*", MATCH_EXACT, "pass*", true);
	assert_fits("pass*", MATCH_EXACT, "passwd", false);
	assert_fits("^pass.$", MATCH_REGEX, "etc/passwd", false);
	assert_fits("^pas+wd?$", MATCH_REGEX, "etc/passwd", true);
	assert_fits("", MATCH_GLOB, "a/b", true);
	assert_fits("/", MATCH_GLOB, "a/b", true);
}

static void with_a_slash_it_is_about_the_path(void **state)
{
	assert_fits("etc/passwd", MATCH_GLOB, "etc/passwd", true);
	assert_fits("etc/passwd", MATCH_GLOB, "old/etc/passwd", true);
	assert_fits("etc/passwd", MATCH_GLOB, "oldetc/passwd", false);
	assert_fits("/etc/passwd", MATCH_GLOB, "etc/passwd", true);
	assert_fits("/etc/passwd", MATCH_GLOB, "old/etc/passwd", false);
	assert_fits("/passwd", MATCH_EXACT, "etc/passwd", false);
	assert_fits("/passwd", MATCH_EXACT, "passwd", true);
	assert_fits("etc/passwd", MATCH_EXACT, "old/etc/passwd", true);
	assert_fits("etc/**.conf", MATCH_GLOB, "etc/a/b/x.conf", true);
	assert_fits("etc/**/x.conf", MATCH_GLOB, "etc/x.conf", true);
	assert_fits("etc/x**", MATCH_GLOB, "etc/xy/z", true);
	assert_fits("home/*/.bashrc", MATCH_GLOB, "home/ann/.bashrc", true);
	assert_fits("home/*/.bashrc", MATCH_GLOB, "home/a/b/.bashrc", false);
	assert_fits("^etc/.*d$", MATCH_REGEX, "etc/a/passwd", true);
	assert_fits("^etc/.*d$", MATCH_REGEX, "x/etc/passwd", false);
	assert_fits("/etc/", MATCH_REGEX, "etc/passwd", true);
	assert_fits("^/etc/", MATCH_REGEX, "etc/passwd", true);
	assert_fits("^/etc/", MATCH_REGEX, "x/etc/passwd", false);
}

static void the_index_gets_what_names_begin_with(void **state)
{
	static const struct {
		const char *text;
		enum contents_match match;
		bool ignore_case;
		const char *exact, *prefix;
	} rows[] = {
		{ "foo", MATCH_GLOB, false, "foo", "foo" },
		{ "foo*", MATCH_GLOB, false, NULL, "foo" },
		{ "*foo", MATCH_GLOB, false, NULL, "" },
		{ "f\\*o?", MATCH_GLOB, false, NULL, "f*o" },
		{ "foo", MATCH_GLOB, true, NULL, "" },
		{ "a/b*", MATCH_GLOB, false, NULL, "b" },
		{ "a*/b", MATCH_GLOB, false, "b", "b" },
		{ "a/b**c", MATCH_GLOB, false, NULL, "" },
		{ "^foo.*", MATCH_REGEX, false, NULL, "foo" },
		{ "^foo*", MATCH_REGEX, false, NULL, "fo" },
		{ "^foo|bar", MATCH_REGEX, false, NULL, "" },
		{ "foo", MATCH_REGEX, false, NULL, "" },
		{ "^a/b", MATCH_REGEX, false, NULL, "" },
		{ "f*", MATCH_EXACT, false, "f*", "f*" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pattern *p = pattern_of(rows[i].text, rows[i].match, rows[i].ignore_case);

		assert_string_equal(pattern_prefix(p), rows[i].prefix);
		if (rows[i].exact)
			assert_string_equal(pattern_exact(p), rows[i].exact);
		else
			assert_null(pattern_exact(p));
		pattern_free(p);
	}
}

static void what_is_no_pattern_is_refused_with_words(void **state)
{
	static const char *const bad[] = { "a(", "[a", "a{5,2}", "a{999}{999}", "(((a{100}){100}){100})" };
	struct contents_query q = { .match = MATCH_REGEX };
	char long_one[3000];
	struct pattern *p;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		q.pattern = bad[i];
		assert_int_equal(pattern_new(&q, &p), -EINVAL);
		assert_string_not_equal(err_text(-EINVAL), strerror(EINVAL));
	}
	memset(long_one, '(', sizeof(long_one));
	long_one[sizeof(long_one) - 1] = 0;
	q.pattern = long_one;
	assert_int_equal(pattern_new(&q, &p), -EINVAL);
}

/* The library writes out what is repeated, and goes back for what may fit in many ways. */
static void regular_expressions_take_little_memory_and_time(void **state)
{
	static const char *const slow[] = { "^(a+)+$", "(a|aa)+$", "^(a?){60}a{60}$" };
	const char *name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!";
	char deep[602] = "";
	struct pattern *p;

	memset(deep, '(', 200);
	deep[200] = 'a';
	for (char *s = deep + 201; s < deep + 601; s += 2)
		memcpy(s, ")+", 2);
	p = pattern_of(deep, MATCH_REGEX, false);
	assert_int_equal(pattern_fits_name(p, "bab", true), 0);
	pattern_free(p);
	for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
		p = pattern_of(slow[i], MATCH_REGEX, false);
		if (pattern_fits_name(p, name, true) != -EINVAL)
			fail_msg("%s: does not take too long", slow[i]);
		pattern_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globs_fit_as_those_of_a_shell),
		cmocka_unit_test(globs_fit_whenever_any_way_does),
		cmocka_unit_test(without_a_slash_it_is_about_the_last_part),
		cmocka_unit_test(with_a_slash_it_is_about_the_path),
		cmocka_unit_test(the_index_gets_what_names_begin_with),
		cmocka_unit_test(what_is_no_pattern_is_refused_with_words),
		cmocka_unit_test(regular_expressions_take_little_memory_and_time),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

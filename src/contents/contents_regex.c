/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regular expressions against names and paths: Perl's, by pcre2pattern(3), byte by byte, for names need not be UTF-8.
 * The pattern is a user's and the names are foreign, so neither may take the daemon's memory or time: the library
 * compiles into 64 KiB at most, and a match that goes back too often is told, not waited for.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "contents/find.h"

#include <errno.h>
#include <pcre2.h>

#define REGEX_MAX 1024u		/* bytes of a pattern */
#define STEPS_MAX 1000000u	/* of a match: some ten milliseconds */
#define HEAP_MAX 4096u		/* KiB, of a match that goes back */

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits;
	pcre2_match_data *match;
	char text[];
};

struct regex *regex_free(struct regex *re)
{
	if (re) {
		pcre2_match_data_free(re->match);
		pcre2_match_context_free(re->limits);
		pcre2_code_free(re->code);
		free(re);
	}
	return NULL;
}

static void regex_freep(struct regex **re)
{
	*re = regex_free(*re);
}

static int refused(const char *text, int why)
{
	char words[256];

	if (pcre2_get_error_message(why, (PCRE2_UCHAR *)words, sizeof(words)) < 0)
		return err_explain(-EINVAL, "%s: no regular expression", text);
	return err_explain(-EINVAL, "%s: %s", text, words);
}

static int compile(struct regex *re, bool ignore_case)
{
	uint32_t how = PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
		       (ignore_case ? PCRE2_CASELESS : 0);
	PCRE2_SIZE at;
	int why;

	re->code = pcre2_compile((PCRE2_SPTR)re->text, PCRE2_ZERO_TERMINATED, how, &why, &at, NULL);
	if (!re->code)
		return why == PCRE2_ERROR_HEAP_FAILED ? err_origin(-ENOMEM) : refused(re->text, why);
	re->limits = pcre2_match_context_create(NULL);
	re->match = pcre2_match_data_create(1, NULL);
	if (!re->limits || !re->match)
		return err_origin(-ENOMEM);
	pcre2_set_match_limit(re->limits, STEPS_MAX);
	pcre2_set_heap_limit(re->limits, HEAP_MAX);
	return 0;
}

int regex_new(const char *text, bool ignore_case, struct regex **out)
{
	CLEANUP(regex_freep) struct regex *re = NULL;
	size_t n = strlen(text);
	int r;

	if (n > REGEX_MAX)
		return err_explain(-EINVAL, "a regular expression of more than %u bytes", REGEX_MAX);
	re = calloc(1, sizeof(*re) + n + 1);
	if (!re)
		return err_origin(-ENOMEM);
	memcpy(re->text, text, n);
	r = compile(re, ignore_case);
	if (!r)
		*out = STEAL(re);
	return r;
}

int regex_fits(const struct regex *re, const char *s)
{
	int r = pcre2_match(re->code, (PCRE2_SPTR)s, strlen(s), 0, 0, re->match, re->limits);

	if (r >= 0)
		return 0;
	if (r == PCRE2_ERROR_NOMATCH)
		return CONTENTS_E_NONE;
	if (r == PCRE2_ERROR_NOMEMORY)
		return err_origin(-ENOMEM);
	return err_explain(-EINVAL, "%s: takes too long to be tried on %.200s", re->text, s);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Moments, as a person types them.  A date that there is not, such as February 30, is refused, not counted on. */
#include "cli/cli.h"

#include <errno.h>
#include <time.h>

static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M",
				     "%Y-%m-%d %H:%M:%S" };

static bool same_day(const struct tm *a, const struct tm *b)
{
	return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon && a->tm_mday == b->tm_mday;
}

static bool parse_date(const char *s, const char *form, uint64_t *ns)
{
	struct tm tm = { .tm_isdst = -1 }, typed;
	const char *end = strptime(s, form, &tm);
	time_t t;

	if (!end || *end)
		return false;
	tm.tm_isdst = -1;
	typed = tm;
	t = mktime(&tm);
	/* Beyond 2554 the nanoseconds do not fit. */
	if (t <= 0 || !same_day(&tm, &typed) || (uint64_t)t > (uint64_t)INT64_MAX / 1000000000u)
		return false;
	*ns = (uint64_t)t * 1000000000u;
	return true;
}

int when_parse(const char *s, uint64_t *until_ns, uint64_t *for_s)
{
	*until_ns = *for_s = 0;
	if (s[0] == '+')
		return parse_duration(s + 1, for_s);
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (parse_date(s, forms[i], until_ns))
			return 0;
	return err_explain(-EINVAL, "\"%s\" is not a date (examples: 2027-01-31, 2027-01-31T12:00, +30d)", s);
}

/* "2h ago": the number and its unit are @n bytes of @s. */
static int parse_ago(const char *s, size_t n, uint64_t *ns)
{
	uint64_t now = clock_now_ns(), seconds;
	char span[32];
	int r;

	snprintf(span, sizeof(span), "%.*s", (int)(n < sizeof(span) ? n : sizeof(span) - 1), s);
	r = parse_duration(span, &seconds);
	if (!r)
		*ns = seconds < now / 1000000000u ? now - seconds * 1000000000u : 0;
	return r;
}

int when_parse_past(const char *s, uint64_t *ns)
{
	const char *ago = strstr(s, " ago");

	if (ago && !ago[strlen(" ago")])
		return parse_ago(s, (size_t)(ago - s), ns);
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (parse_date(s, forms[i], ns))
			return 0;
	return err_explain(-EINVAL, "\"%s\" is not a time (examples: 2026-11-30, 2026-11-30T12:00, \"2h ago\")", s);
}

/* "30d" is "+30d" here. */
static int expires_word(const char *value, char **out)
{
	uint64_t until_ns = 0, for_s = 0;
	int n;

	if (parse_duration(value, &for_s) && when_parse(value, &until_ns, &for_s))
		return err_explain(
			-EINVAL, "\"%s\" is not when a volume expires (examples: 2027-01-31, 30d, never, pool)", value);
	n = until_ns ? asprintf(out, "expires=@%llu", (unsigned long long)until_ns)
		     : asprintf(out, "expires=+%llus", (unsigned long long)for_s);
	return n < 0 ? err_origin(-ENOMEM) : 0;
}

int when_property(const char *word, char **out)
{
	static const char head[] = "expires=";

	if (!strncmp(word, head, strlen(head)) && strcmp(word, "expires=never") != 0 &&
	    strcmp(word, "expires=pool") != 0)
		return expires_word(word + strlen(head), out);
	*out = strdup(word);
	return *out ? 0 : err_origin(-ENOMEM);
}

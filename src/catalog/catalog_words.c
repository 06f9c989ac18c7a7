/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of properties as words: what a person sets, and what is shown to him.  What a shown value says is what setting
 * it again means, exactly.
 */
#include "catalog/catalog_private.h"

#include <errno.h>

int words_get_bool(bool on, struct buf *text)
{
	return buf_printf(text, "%s", on ? "on" : "off");
}

int words_set_bool(bool *out, const char *value)
{
	if (!strcmp(value, "on") || !strcmp(value, "yes") || !strcmp(value, "true"))
		*out = true;
	else if (!strcmp(value, "off") || !strcmp(value, "no") || !strcmp(value, "false"))
		*out = false;
	else
		return -EINVAL;
	return 0;
}

/* In the largest unit that loses nothing. */
int words_get_size(uint64_t bytes, struct buf *text)
{
	static const char units[] = "KMGTPE";
	size_t u = 0;

	while (bytes && bytes % 1024 == 0 && u < strlen(units)) {
		bytes /= 1024;
		u++;
	}
	if (!u)
		return buf_printf(text, "%llu", (unsigned long long)bytes);
	return buf_printf(text, "%llu%c", (unsigned long long)bytes, units[u - 1]);
}

int words_get_duration(uint64_t s, struct buf *text)
{
	if (!s)
		return buf_printf(text, "0");
	if (s % 86400 == 0)
		return buf_printf(text, "%llud", (unsigned long long)s / 86400);
	if (s % 3600 == 0)
		return buf_printf(text, "%lluh", (unsigned long long)s / 3600);
	return buf_printf(text, "%llus", (unsigned long long)s);
}

int words_find(const struct catalog_prop *props, size_t count, const char *owner, const char *name, size_t *at)
{
	for (*at = 0; *at < count; ++*at)
		if (!strcmp(props[*at].name, name))
			return 0;
	return err_explain(-ENOENT, "%s has no property \"%s\"", owner, name);
}

int words_bad_value(const struct catalog_prop *prop, const char *value)
{
	return err_explain(-EINVAL, "\"%s\" is not a value of %s: %s", value, prop->name, prop->values);
}

static const char *const access_names[] = {
	[ACCESS_PRIMARY] = "primary", [ACCESS_SECONDARY] = "secondary", [ACCESS_RESTRICTED] = "restricted",
};

const char *catalog_access_name(enum catalog_access a)
{
	return access_names[a];
}

int catalog_access_parse(const char *word, enum catalog_access *out)
{
	for (size_t i = 0; i < ARRAY_LEN(access_names); i++)
		if (!strcmp(access_names[i], word)) {
			*out = (enum catalog_access)i;
			return 0;
		}
	return err_explain(-EINVAL, "\"%s\" is not an access (primary, secondary, restricted)", word);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the handlers of all requests share: taking a request apart, and saying why it cannot be done. */
#include "daemon/serve_call.h"

#include <errno.h>
#include <unistd.h>

int call_string(const struct call *c, const char *key, const char **out)
{
	const char *s = json_string_value(json_object_get(c->req, key));

	if (!s)
		return err_explain(-EINVAL, "the request lacks \"%s\"", key);
	*out = s;
	return 0;
}

int call_strings(const struct call *c, const char *key, const json_t **out)
{
	const json_t *a = json_object_get(c->req, key), *word;
	size_t i;

	if (json_array_size(a) == 0)
		return err_explain(-EINVAL, "the request lacks \"%s\"", key);
	json_array_foreach(a, i, word)
		if (!json_is_string(word))
			return err_explain(-EINVAL, "the request's \"%s\" holds something that is no word", key);
	*out = a;
	return 0;
}

int call_u64(const struct call *c, const char *key, uint64_t *out)
{
	const json_t *n = json_object_get(c->req, key);

	if (!json_is_integer(n) || json_integer_value(n) < 0)
		return err_explain(-EINVAL, "the request lacks the number \"%s\"", key);
	*out = (uint64_t)json_integer_value(n);
	return 0;
}

const char *call_string_or(const struct call *c, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(c->req, key));

	return s ? s : otherwise;
}

bool call_has(const struct call *c, const char *key)
{
	const json_t *v = json_object_get(c->req, key);

	return v && !json_is_null(v);
}

bool call_flag(const struct call *c, const char *key)
{
	return json_is_true(json_object_get(c->req, key));
}

struct catalog_perm call_perm(uint32_t mode)
{
	uint64_t now = clock_now_ns();

	return (struct catalog_perm){ .mode = mode, .uid = geteuid(), .gid = getegid(), .mtime_ns = now,
				      .ctime_ns = now };
}

int call_fold(int r, const char *noun, const char *name)
{
	switch (r) {
	case CATALOG_E_NONE:
		return err_explain(-ENOENT, "there is no %s \"%s\"", noun, name);
	case CATALOG_E_EXISTS:
		return err_explain(-EEXIST, "there is a %s \"%s\" already", noun, name);
	case CATALOG_E_NOT_EMPTY:
		return err_explain(-ENOTEMPTY, "%s \"%s\" is not empty", noun, name);
	default:
		return err_fold(r);
	}
}

int call_pool(const struct call *c, const char *name, struct catalog_pool *out)
{
	return call_fold(catalog_pool_get(c->s->cat, name, out), "pool", name);
}

int call_volume(const struct call *c, const char *name, struct catalog_volume *out)
{
	return call_fold(catalog_volume_get(c->s->cat, name, out), "volume", name);
}

int call_assignments(const json_t *set, int (*take)(void *ctx, const char *prop, const char *value), void *ctx)
{
	const json_t *word;
	char prop[64];
	size_t i;
	int r = 0;

	json_array_foreach(set, i, word) {
		const char *text = json_string_value(word), *eq = text ? strchr(text, '=') : NULL;

		if (!text)
			return err_explain(-EINVAL, "a property is no word");
		if (!eq || eq == text || (size_t)(eq - text) >= sizeof(prop))
			return err_explain(-EINVAL, "\"%s\" is not PROPERTY=VALUE", text);
		memcpy(prop, text, (size_t)(eq - text));
		prop[eq - text] = '\0';
		r = take(ctx, prop, eq + 1);
		if (r)
			break;
	}
	return r;
}

int call_pool_word(const char *prop, const char *value, struct catalog_pool *out)
{
	*out = (struct catalog_pool){ .id = 0 };
	return catalog_pool_prop_set(out, prop, value);
}

int call_row(struct call *c, json_t *row)
{
	return row ? ctl_reply_row(c->reply, row) : err_origin(-ENOMEM);
}

int call_progress(struct call *c, json_t *progress)
{
	return progress ? ctl_reply_progress(c->reply, progress) : err_origin(-ENOMEM);
}

int call_answer(struct call *c, json_t *ok)
{
	if (!ok)
		return err_origin(-ENOMEM);
	*c->ok = ok;
	return 0;
}

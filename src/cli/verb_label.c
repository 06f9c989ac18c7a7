/* SPDX-License-Identifier: BSD-2-Clause */
/* vtape volume label */
#include "cli/cli.h"

#include <errno.h>

struct tape { bool has_data; char size[16]; };

static int look(void *ctx, const char *key, json_t *value)
{
	struct tape *t = ctx;

	if (strcmp(key, "row") != 0)
		return 0;
	t->has_data = json_integer_value(json_object_get(value, "records")) ||
		      json_integer_value(json_object_get(value, "files")) || json_object_get(value, "error");
	format_size((uint64_t)json_integer_value(json_object_get(value, "size_bytes")), t->size);
	return 0;
}

/* Without --overwrite a tape with data is refused where it is written, so nothing is asked. */
int verb_volume_label(const struct args *a)
{
	struct tape t = { .has_data = false };
	const char *name = a->operand[0];
	struct store s;
	json_t *ok = NULL;
	int r;

	r = store_open(a, &s);
	if (!r && args_has(a, OPT_OVERWRITE))
		r = store_call(&s, json_pack("{s:s, s:[s]}", "verb", "volume.list", "names", name), -1, look, &t, NULL);
	if (!r && t.has_data)
		r = confirm(a, "Write a label over volume %s, %s of data", name, t.size);
	if (!r)
		r = store_call(&s,
			       json_pack("{s:s, s:s, s:s?, s:s?, s:b, s:b}", "verb", "volume.label", "name", name, "id",
					 a->value[OPT_ID], "owner", a->value[OPT_OWNER], "ibm", args_has(a, OPT_IBM),
					 "overwrite", args_has(a, OPT_OVERWRITE)),
			       -1, NULL, NULL, &ok);
	if (!r)
		printf("%s is labelled %s\n", name, json_string_value(json_object_get(ok, "label")));
	json_decref(ok);
	store_close(&s);
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A path of an archive as names: any bytes go in, and what comes out leads nowhere but down from the root of the
 * list. Empty parts, "." and trailing slashes mean nothing and are left out silently; where the path leads
 * elsewhere than what is left (it begins with '/', has "..", a part that is too long, or too many), it is odd.
 */
#include "contents/list.h"

/* Of too many the first stay, and the last. */
static void add_part(struct path_parts *out, const char *p, size_t len)
{
	if (out->count == CONTENTS_DEPTH_MAX) {
		out->count--;
		out->odd = true;
	}
	if (len > CONTENTS_NAME_MAX) {
		len = CONTENTS_NAME_MAX;
		out->odd = true;
	}
	out->part[out->count++] = (struct path_part){ p, len };
}

void path_split(const char *path, struct path_parts *out)
{
	const char *p = path;

	out->count = 0;
	out->odd = *p == '/';
	while (*p) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			out->odd = true;
		else if (len && !(len == 1 && p[0] == '.'))
			add_part(out, p, len);
		p += len;
		p += *p == '/';
	}
}

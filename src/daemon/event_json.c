/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An event as JSON.  Its words may hold the name of a file that somebody wrote, so any bytes; those that are not UTF-8
 * are shown as '?', and the real ones stand beside it in hexadecimal digits ("text_raw").
 */
#include "daemon/event_json.h"

#include <stdio.h>

static void set_text(json_t *o, const char *key, const char *text)
{
	CLEANUP(buf_fini) struct buf clean = BUF_INIT, hex = BUF_INIT;
	json_t *s = json_string(text);
	char raw[32];

	if (s) {
		json_object_set_new(o, key, s);
		return;
	}
	for (const char *p = text; *p; p++) {
		buf_put_u8(&clean, *p & 0x80 ? '?' : (uint8_t)*p);
		buf_printf(&hex, "%02x", (uint8_t)*p);
	}
	snprintf(raw, sizeof(raw), "%s_raw", key);
	json_object_set_new(o, key, json_stringn((const char *)clean.data, clean.len));
	json_object_set_new(o, raw, json_stringn((const char *)hex.data, hex.len));
}

json_t *event_json(const struct catalog_event *e)
{
	json_t *o = json_pack("{s:I, s:I, s:i, s:s, s:s}", "seq", (json_int_t)e->seq, "time_ns", (json_int_t)e->time_ns,
			      "number", (int)e->number, "name", e->number ? event_name(e->number) : "test", "severity",
			      event_severity_name(e->severity));

	if (!o)
		return NULL;
	set_text(o, "about", e->about);
	set_text(o, "text", e->text);
	return o;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* An event as JSON: what `vtape events --json` shows and what a hook reads. */
#ifndef DAEMON_EVENT_JSON_H
#define DAEMON_EVENT_JSON_H

#include <jansson.h>
#include <vtape/catalog.h>

/* NULL: out of memory. */
json_t *event_json(const struct catalog_event *e);

#endif

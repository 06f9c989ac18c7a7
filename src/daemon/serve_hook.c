/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about hooks.  Who can ask can run programs as the daemon's user: the socket is that user's alone. */
#include "daemon/hooks.h"
#include "daemon/serve_call.h"

#include <errno.h>
#include <stdio.h>

#define TIMEOUT_DEFAULT_S 60u

static int call_hook(const struct call *c, struct catalog_hook *out)
{
	const char *name;
	int r = call_string(c, "name", &name);

	return r ? r : call_fold(catalog_hook_get(c->s->cat, name, out), "hook", name);
}

static int reload(const struct call *c)
{
	return c->s->hooks ? err_fold(hooks_reload(c->s->hooks)) : 0;
}

static int copy_text(char *out, size_t cap, const char *text, const char *what)
{
	if (strlen(text) >= cap)
		return err_explain(-EINVAL, "%s is too long: %zu bytes at most", what, cap - 1);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

/* What the request says; what it does not is as in a new one. */
static int hook_of_request(const struct call *c, struct catalog_hook *h)
{
	uint64_t timeout_s = TIMEOUT_DEFAULT_S;
	const char *name, *program;
	int r;

	r = call_string(c, "name", &name);
	if (!r)
		r = call_string(c, "program", &program);
	if (!r)
		r = copy_text(h->name, sizeof(h->name), name, "the name of a hook");
	if (!r)
		r = copy_text(h->program, sizeof(h->program), program, "the program with its arguments");
	if (!r)
		r = copy_text(h->events, sizeof(h->events), call_string_or(c, "events", ""), "the list of events");
	if (!r && call_has(c, "severity"))
		r = event_severity_parse(call_string_or(c, "severity", ""), &h->least);
	if (!r && call_has(c, "timeout_s"))
		r = call_u64(c, "timeout_s", &timeout_s);
	h->timeout_s = timeout_s > UINT32_MAX ? UINT32_MAX : (uint32_t)timeout_s;
	return r ? r : hook_check_program(h);
}

int serve_hook_set(struct call *c)
{
	struct catalog_hook h = { .least = EVENT_INFO }, was;
	int r = hook_of_request(c, &h);

	/* One that was turned off stays so. */
	if (!r && catalog_hook_get(c->s->cat, h.name, &was) == 0)
		h.off = was.off;
	if (!r)
		r = err_fold(catalog_hook_put(c->s->cat, &h));
	return r ? r : reload(c);
}

static int hook_switch(struct call *c, bool on)
{
	struct catalog_hook h;
	int r = call_hook(c, &h);

	if (r)
		return r;
	h.off = !on;
	r = err_fold(catalog_hook_put(c->s->cat, &h));
	return r ? r : reload(c);
}

int serve_hook_on(struct call *c)
{
	return hook_switch(c, true);
}

int serve_hook_off(struct call *c)
{
	return hook_switch(c, false);
}

/* Also one whose row is damaged. */
int serve_hook_remove(struct call *c)
{
	const char *name;
	int r = call_string(c, "name", &name);

	if (!r)
		r = call_fold(catalog_hook_remove(c->s->cat, name), "hook", name);
	return r ? r : reload(c);
}

static int hook_row(void *ctx, const struct catalog_hook *h)
{
	struct hook_state st = { .runs = 0 };
	struct call *c = ctx;

	if (c->s->hooks)
		hooks_state(c->s->hooks, h->name, &st);
	return call_row(c, json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:I, s:I, s:I, s:i, s:b, s:I, s:i}",
				     "name", h->name, "program", h->program,
				     "events", h->events[0] ? h->events : "all",
				     "severity", event_severity_name(h->least),
				     "timeout_s", (json_int_t)h->timeout_s, "on", !h->off,
				     "runs", (json_int_t)st.runs, "failed", (json_int_t)st.failed, "dropped",
				     (json_int_t)st.dropped, "waiting", (int)st.waiting, "running", (int)st.running,
				     "last_ns", (json_int_t)st.last_ns, "last_status", st.last_status));
}

int serve_hook_list(struct call *c)
{
	const json_t *names = json_object_get(c->req, "names"), *name;
	struct catalog_hook h;
	size_t i;
	int r = 0;

	if (json_array_size(names) == 0)
		return catalog_hook_each(c->s->cat, hook_row, c);
	json_array_foreach(names, i, name) {
		const char *word = json_is_string(name) ? json_string_value(name) : "?";
		if (!r)
			r = call_fold(catalog_hook_get(c->s->cat, word, &h), "hook", word);
		if (!r)
			r = hook_row(c, &h);
	}
	return r;
}

/* Bytes of a program: what is not UTF-8 is shown as '?'. */
static json_t *output_json(struct hook_result *res)
{
	json_t *s = json_stringn(res->output, res->len);

	for (size_t i = 0; !s && i < res->len; i++)
		if (res->output[i] & 0x80)
			res->output[i] = '?';
	return s ? s : json_stringn(res->output, res->len);
}

int serve_hook_test(struct call *c)
{
	struct catalog_event e = { .time_ns = clock_now_ns(), .severity = EVENT_INFO };
	struct hook_result res;
	struct catalog_hook h;
	char words[96];
	int r = call_hook(c, &h);

	if (r)
		return r;
	snprintf(e.text, sizeof(e.text), "a test of hook %s", h.name);
	r = hook_run(&h, &e, c->s->store_path, NULL, &res);
	if (r)
		return r;
	return call_answer(c, json_pack("{s:i, s:b, s:s, s:I, s:o}", "status", res.status, "late", res.late, "words",
					hook_words(&h, &res, words), "took_ns", (json_int_t)res.took_ns, "output",
					output_json(&res)));
}

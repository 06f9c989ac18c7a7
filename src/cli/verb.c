/* SPDX-License-Identifier: BSD-2-Clause */
/* Small things that several verbs do. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

json_t *json_words(char **words, int n)
{
	json_t *a = json_array();

	for (int i = 0; i < n; i++) {
		if (json_array_append_new(a, json_string(words[i])) < 0) {
			json_decref(a);
			return NULL;	/* not UTF-8; json_pack() passes that on */
		}
	}
	return a;
}

int confirm(const struct args *a, const char *fmt, ...)
{
	char answer[16] = "";
	va_list ap;

	if (args_has(a, OPT_YES))
		return 0;
	va_start(ap, fmt);
	char question[512];
	vsnprintf(question, sizeof(question), fmt, ap);
	va_end(ap);
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return err_explain(-EINVAL, "%s? Say --yes: there is no terminal to ask on", question);
	fprintf(stderr, "%s? [y/N] ", question);
	if (!fgets(answer, sizeof(answer), stdin))
		fputc('\n', stderr);
	if (answer[0] == 'y' || answer[0] == 'Y')
		return 0;
	return err_explain(-ECANCELED, "nothing was changed");
}

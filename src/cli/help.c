/* SPDX-License-Identifier: BSD-2-Clause */
/* --help and `vtape help`: the table of verbs, printed. */
#include "cli/cli.h"

#include <errno.h>

static void print_options(const struct verb *v, FILE *to)
{
	for (enum opt o = 0; o < OPTS; o++) {
		char left[64];
		if (!verb_takes(v, o))
			continue;
		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", options[o].letter ? '-' : ' ',
			 options[o].letter ? options[o].letter : ' ', options[o].letter ? ", " : "  ", options[o].name,
			 options[o].value ? " " : "", options[o].value ? options[o].value : "");
		fprintf(to, "  %-26s %s\n", left, options[o].help);
	}
}

static void print_verbs(FILE *to)
{
	fprintf(to, "usage: vtape [-s STORE] VERB [OPTIONS] [OPERANDS]\n\n");
	for (size_t i = 0; i < verb_count; i++) {
		/* An empty line where the noun changes. */
		const char *space = strchr(verbs[i].name, ' ');
		if (i && space && strncmp(verbs[i].name, verbs[i - 1].name, (size_t)(space - verbs[i].name)) != 0)
			fputc('\n', to);
		else if (i && !space && strchr(verbs[i - 1].name, ' '))
			fputc('\n', to);
		fprintf(to, "  %-25s %s\n", verbs[i].name, verbs[i].brief);
	}
	fprintf(to, "\n`vtape VERB --help` says more, vtape(1) everything.\n");
}

void verb_help_print(const struct verb *v, FILE *to)
{
	if (!v) {
		print_verbs(to);
		return;
	}
	fprintf(to, "usage: vtape %s%s%s\n\n  %s\n\n", v->name, v->operands[0] ? " " : "", v->operands, v->brief);
	print_options(v, to);
}

/* For the completion: verb, operands and options, tab separated. */
static void print_for_scripts(void)
{
	for (size_t i = 0; i < verb_count; i++) {
		const char *sep = "";

		printf("%s\t%s\t", verbs[i].name, verbs[i].operands[0] ? verbs[i].operands : "-");
		for (enum opt o = 0; o < OPTS; o++) {
			if (!verb_takes(&verbs[i], o))
				continue;
			printf("%s--%s%s", sep, options[o].name, options[o].value ? "=" : "");
			sep = " ";
		}
		putchar('\n');
	}
}

int verb_help(const struct args *a)
{
	char typed[2 * BARCODE_MAX];
	bool found = false;

	if (args_has(a, OPT_NO_HEADER)) {
		print_for_scripts();
		return 0;
	}
	if (a->operands == 0) {
		print_verbs(stdout);
		return 0;
	}
	snprintf(typed, sizeof(typed), "%s%s%s", a->operand[0], a->operands > 1 ? " " : "",
		 a->operands > 1 ? a->operand[1] : "");
	for (size_t i = 0; i < verb_count; i++) {
		size_t n = strlen(typed);
		bool noun = !strncmp(verbs[i].name, typed, n) && verbs[i].name[n] == ' ';
		if (strcmp(verbs[i].name, typed) != 0 && !noun)
			continue;
		if (found)
			putchar('\n');
		verb_help_print(&verbs[i], stdout);
		found = true;
	}
	return found ? 0 : err_explain(-EINVAL, "there is no verb \"%s\"; `vtape help` lists them", typed);
}

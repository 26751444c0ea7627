/*
 * modules.c: the kernel modules of a program, begun and ended together, with the parameters that the machine's config has for them.
 *
 * Calls report, printk, and parameters.c, which knows types. Knows nothing of what modules do.
 */
#include <errno.h>
#include <flagstone/module.h>
#include <linux/printk.h>
#include <stddef.h>
#include <string.h>

#include "runtime/lib/report.h"
#include "runtime/support/internal.h"

/* A parameter that the config names: "module.name=value"; value NULL: without one. */
struct setting {
	const char *module, *name;
	char *value;
	size_t length; /* of the value */
	bool known; /* there is such a module */
};

/* In the order of registration. Synchronization: written before main; const then */
static struct flagstone_module *modules;
static struct flagstone_parameter *parameters;

/* What settings[] points into. Synchronization: written at boot; const then */
static char settings_text[MODULES_TEXT];
static struct setting settings[MODULES_TEXT / 4];
static unsigned int nr_settings;

void flagstone_module_register(struct flagstone_module *module)
{
	struct flagstone_module **link = &modules;

	if (module->registered)
		return;
	module->registered = 1;
	while (*link)
		link = &(*link)->next;
	*link = module;
}

void flagstone_parameter_register(struct flagstone_parameter *parameter)
{
	parameter->next = parameters;
	parameters = parameter;
}

/* ---- the text ---- */

/* Ends the word that begins at text, takes the quotes out of it, and returns what follows it. Blanks between quotes belong to it. */
static char *take_word(char *text)
{
	bool quoted = false;
	char *to = text;

	for (; *text && (quoted || *text != ' '); text++) {
		if (*text == '"')
			quoted = !quoted;
		else
			*to++ = *text;
	}
	if (*text)
		text++;
	*to = '\0';
	return text;
}

static void setting_add(char *word)
{
	struct setting *setting = &settings[nr_settings];
	char *value = strchr(word, '='), *dot;

	if (value)
		*value++ = '\0';
	dot = strchr(word, '.');
	if (!dot)
		return;
	*dot = '\0';
	*setting =
		(struct setting){.module = word, .name = dot + 1, .value = value, .length = value ? strlen(value) : 0};
	nr_settings++;
}

void modules_set_parameters(const char *text)
{
	char *next = settings_text;

	strncpy(settings_text, text, sizeof(settings_text) - 1);
	nr_settings = 0;
	while (*next && nr_settings < ARRAY_SIZE(settings)) {
		char *word = next;

		next = take_word(word);
		setting_add(word);
	}
}

/* ---- names ---- */

/* Of a module: the build's, or that of its file, without the way there and what follows the dot. */
static const char *name_begin(const char *name, size_t *length)
{
	const char *slash = strrchr(name, '/');

	if (slash)
		name = slash + 1;
	*length = strcspn(name, ".");
	return name;
}

static bool same_character(char a, char b)
{
	return (a == '-' ? '_' : a) == (b == '-' ? '_' : b);
}

static bool same_name(const char *a, size_t length_a, const char *b, size_t length_b)
{
	if (length_a != length_b)
		return false;
	for (size_t i = 0; i < length_a; i++)
		if (!same_character(a[i], b[i]))
			return false;
	return true;
}

static bool module_is(const char *module, const char *name)
{
	size_t length;
	const char *begin = name_begin(module, &length);

	return same_name(begin, length, name, strlen(name));
}

/* ---- parameters ---- */

static struct flagstone_parameter *parameter_find(const struct setting *setting)
{
	for (struct flagstone_parameter *parameter = parameters; parameter; parameter = parameter->next)
		if (module_is(parameter->module, setting->module) &&
			same_name(parameter->name, strlen(parameter->name), setting->name, strlen(setting->name)))
			return parameter;
	return NULL;
}

static int setting_apply(const struct setting *setting)
{
	struct flagstone_parameter *parameter = parameter_find(setting);

	if (parameter)
		return parameter_set(parameter->param, setting->module, parameter->name, setting->value);
	printk(KERN_WARNING "%s: unknown parameter '%s' ignored\n", setting->module, setting->name);
	return 0;
}

/* Whether the parameter is of the same module, be it of another file. */
static bool of_module(const struct flagstone_parameter *parameter, const struct flagstone_module *module)
{
	size_t length_a, length_b;
	const char *a = name_begin(parameter->module, &length_a), *b = name_begin(module->name, &length_b);

	return same_name(a, length_a, b, length_b);
}

/* A module that is loaded again begins with what its source says. */
static void parameters_save(const struct flagstone_module *module)
{
	for (struct flagstone_parameter *parameter = parameters; parameter; parameter = parameter->next)
		if (of_module(parameter, module) && parameter->size) {
			memcpy(parameter->saved, parameter->value, parameter->size);
			if (parameter->count)
				parameter->saved_count = *parameter->count;
		}
}

static void parameters_restore(const struct flagstone_module *module)
{
	for (struct flagstone_parameter *parameter = parameters; parameter; parameter = parameter->next)
		if (of_module(parameter, module) && parameter->size) {
			memcpy(parameter->value, parameter->saved, parameter->size);
			if (parameter->count)
				*parameter->count = parameter->saved_count;
		}
}

static int parameters_apply(const struct flagstone_module *module)
{
	int error = 0;

	for (unsigned int i = 0; i < nr_settings && !error; i++) {
		if (!module_is(module->name, settings[i].module))
			continue;
		settings[i].known = true;
		/* An array of strings, of a module that was loaded before, has ended each of them. */
		for (size_t at = 0; at < settings[i].length; at++)
			if (!settings[i].value[at])
				settings[i].value[at] = ',';
		error = setting_apply(&settings[i]);
	}
	return error;
}

/* Once for each that is named. */
static void tell_unknown_modules(void)
{
	for (unsigned int i = 0; i < nr_settings; i++) {
		if (settings[i].known)
			continue;
		report_note("module %s: there is none; its parameter '%s' is ignored", settings[i].module,
			settings[i].name);
		settings[i].known = true;
	}
}

/* ---- loading ---- */

/* The one that was registered last of those that are loaded. */
static struct flagstone_module *last_loaded(void)
{
	struct flagstone_module *last = NULL;

	for (struct flagstone_module *module = modules; module; module = module->next) {
		if (module->loaded)
			last = module;
	}
	return last;
}

static void unload_all(void)
{
	struct flagstone_module *module;

	while ((module = last_loaded())) {
		module->loaded = 0;
		if (module->exit)
			module->exit();
		parameters_restore(module);
	}
}

static int load(struct flagstone_module *module)
{
	int error;

	parameters_save(module);
	error = parameters_apply(module);
	if (!error) {
		error = module->init ? module->init() : 0;
		if (error)
			report_note("module %s: init returned %d", module->name, error);
	}
	if (error < 0) {
		parameters_restore(module);
		return error;
	}
	/* As in Linux: it should be 0 or -errno, and is loaded. */
	module->loaded = 1;
	return 0;
}

int flagstone_modules_load(void)
{
	int error = 0;

	for (struct flagstone_module *module = modules; module && !error; module = module->next)
		if (!module->loaded)
			error = load(module);
	if (error)
		unload_all();
	else
		tell_unknown_modules();
	return error;
}

int flagstone_modules_unload(void)
{
	for (struct flagstone_module *module = modules; module; module = module->next) {
		if (module->loaded && !module->exit)
			return -EBUSY;
	}
	unload_all();
	return 0;
}

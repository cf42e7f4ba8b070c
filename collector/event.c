/* SPDX-License-Identifier: MIT */
#include "pgobolt/collector/event.h"

#include <ctype.h>
#include <perfmon/pfmlib_perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgobolt/base/text.h"
#include "pgobolt/collector/host.h"

enum {
	NAME_BYTES_MAX = 255,
	SUGGESTIONS_MAX = 3,
	DISTANCE_NAME_MAX = 64, /* longer names are not compared */
};

struct generic_event {
	const char *name;
	const char *canonical;
	uint32_t type;
	uint64_t config;
};

#define HARDWARE(name, canonical, id)                                                              \
	{                                                                                          \
		name, canonical, PERF_TYPE_HARDWARE, PERF_COUNT_HW_##id                            \
	}
#define SOFTWARE(name, canonical, id)                                                              \
	{                                                                                          \
		name, canonical, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_##id                            \
	}
static const struct generic_event generic_events[] = {
	HARDWARE("cycles", "cycles", CPU_CYCLES),
	HARDWARE("cpu-cycles", "cycles", CPU_CYCLES),
	HARDWARE("instructions", "instructions", INSTRUCTIONS),
	HARDWARE("branches", "branches", BRANCH_INSTRUCTIONS),
	HARDWARE("branch-instructions", "branches", BRANCH_INSTRUCTIONS),
	HARDWARE("branch-misses", "branch-misses", BRANCH_MISSES),
	HARDWARE("cache-references", "cache-references", CACHE_REFERENCES),
	HARDWARE("cache-misses", "cache-misses", CACHE_MISSES),
	HARDWARE("bus-cycles", "bus-cycles", BUS_CYCLES),
	HARDWARE("ref-cycles", "ref-cycles", REF_CPU_CYCLES),
	HARDWARE("stalled-cycles-frontend", "stalled-cycles-frontend", STALLED_CYCLES_FRONTEND),
	HARDWARE("stalled-cycles-backend", "stalled-cycles-backend", STALLED_CYCLES_BACKEND),
	SOFTWARE("cpu-clock", "cpu-clock", CPU_CLOCK),
	SOFTWARE("task-clock", "task-clock", TASK_CLOCK),
	SOFTWARE("page-faults", "page-faults", PAGE_FAULTS),
	SOFTWARE("faults", "page-faults", PAGE_FAULTS),
	SOFTWARE("minor-faults", "minor-faults", PAGE_FAULTS_MIN),
	SOFTWARE("major-faults", "major-faults", PAGE_FAULTS_MAJ),
	SOFTWARE("context-switches", "context-switches", CONTEXT_SWITCHES),
	SOFTWARE("cs", "context-switches", CONTEXT_SWITCHES),
	SOFTWARE("cpu-migrations", "cpu-migrations", CPU_MIGRATIONS),
	SOFTWARE("migrations", "cpu-migrations", CPU_MIGRATIONS),
};
#define GENERIC_COUNT (sizeof(generic_events) / sizeof(generic_events[0]))

static const struct generic_event *find_generic(const char *name, size_t length)
{
	for (size_t i = 0; i < GENERIC_COUNT; i++)
		if (strlen(generic_events[i].name) == length &&
		    strncasecmp(generic_events[i].name, name, length) == 0)
			return &generic_events[i];
	return NULL;
}

/* Are these modifiers of ours? An empty string is. */
static bool is_modifiers(const char *text)
{
	return text[strspn(text, "ukhpPGHSDIWe")] == '\0';
}

static int apply_modifiers(const char *name, const char *modifiers, struct perf_event_attr *attr,
			   struct pgb_error *error)
{
	unsigned int precise = 0;

	for (const char *at = modifiers; *at; at++) {
		if (*at == 'p') {
			precise++;
		} else if (*at == 'P') {
			precise = 3; /* as precise as it gets: opening steps down */
		} else if (*at != 'u') {
			pgb_fail(error, PGB_E_USAGE, "event '%s': modifier '%c' is not supported",
				 name, *at);
			return pgb_remedy(error,
					  "pgobolt samples user space only: use :u, or none");
		}
	}
	if (precise > 3)
		return pgb_fail(error, PGB_E_USAGE, "event '%s': precision goes up to :ppp", name);
	attr->precise_ip = precise;
	return PGB_OK;
}

/* Case-insensitive edit distance; SIZE_MAX where a name is too long to bother. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[DISTANCE_NAME_MAX + 1], length_a = strlen(a), length_b = strlen(b);

	if (length_a > DISTANCE_NAME_MAX || length_b > DISTANCE_NAME_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= length_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= length_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length_b; j++) {
			size_t above = row[j];
			size_t best = diagonal + (tolower((unsigned char)a[i - 1]) !=
						  tolower((unsigned char)b[j - 1]));

			best = above + 1 < best ? above + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[length_b];
}

/* The nearest names found so far, best first. */
struct suggestions {
	const char *wanted;
	char *names[SUGGESTIONS_MAX];
	size_t distances[SUGGESTIONS_MAX];
	size_t count;
};

static void suggest(struct suggestions *found, const char *name)
{
	size_t distance = edit_distance(found->wanted, name), at = found->count;

	if (distance > 1 + strlen(found->wanted) / 4)
		return;
	for (size_t i = 0; i < found->count; i++)
		if (strcmp(found->names[i], name) == 0)
			return;
	while (at > 0 && found->distances[at - 1] > distance)
		at--;
	if (at == SUGGESTIONS_MAX)
		return;
	if (found->count == SUGGESTIONS_MAX)
		free(found->names[--found->count]);
	memmove(&found->names[at + 1], &found->names[at],
		(found->count - at) * sizeof(found->names[0]));
	memmove(&found->distances[at + 1], &found->distances[at],
		(found->count - at) * sizeof(found->distances[0]));
	found->names[at] = pgb_dup(name);
	found->distances[at] = distance;
	found->count++;
}

static void suggest_from_library(struct suggestions *found)
{
	pfm_pmu_t pmu;

	pfm_for_all_pmus(pmu)
	{
		pfm_pmu_info_t info = {.size = sizeof(info)};

		if (pfm_get_pmu_info(pmu, &info) != PFM_SUCCESS || !info.is_present)
			continue;
		for (int i = info.first_event; i != -1; i = pfm_get_event_next(i)) {
			pfm_event_info_t event = {.size = sizeof(event)};

			if (pfm_get_event_info(i, PFM_OS_PERF_EVENT, &event) == PFM_SUCCESS)
				suggest(found, event.name);
		}
	}
}

/* PGB_E_USAGE with near names as the remedy. */
static int no_such_event(const char *name, const char *why, struct pgb_error *error)
{
	char *stem = pgb_dup_bytes(name, strcspn(name, ":"));
	struct suggestions found = {.wanted = stem};
	struct pgb_text text = {0};

	for (size_t i = 0; i < GENERIC_COUNT; i++)
		suggest(&found, generic_events[i].name);
	suggest_from_library(&found);
	pgb_fail(error, PGB_E_USAGE, "no such event: '%s'%s%s", name, why ? ": " : "",
		 why ? why : "");
	for (size_t i = 0; i < found.count; i++) {
		pgb_text_addf(&text, "%s%s", i ? ", " : "", found.names[i]);
		free(found.names[i]);
	}
	if (found.count)
		pgb_remedy(error, "did you mean: %s?", text.data);
	else
		pgb_remedy(error, "`perf list` shows this machine's events");
	pgb_text_release(&text);
	free(stem);
	return PGB_E_USAGE;
}

static int check_counters(const struct pgb_host *host, const char *name,
			  const struct perf_event_attr *attr, struct pgb_error *error)
{
	if (attr->type == PERF_TYPE_SOFTWARE || pgb_host_has_core_pmu(host))
		return PGB_OK;
	pgb_fail(error, PGB_E_UNSUPPORTED,
		 "event '%s' counts in the CPU, and this %s has no CPU performance counters", name,
		 host->is_virtual ? "virtual machine" : "machine");
	return pgb_remedy(error, "use -e cpu-clock, which works everywhere");
}

static int set_field(const struct pgb_host *host, const struct pgb_pmu *pmu, const char *key,
		     uint64_t value, struct perf_event_attr *attr, struct pgb_error *error)
{
	if (strcmp(key, "config") == 0) {
		attr->config = value;
	} else if (strcmp(key, "config1") == 0) {
		attr->config1 = value;
	} else if (strcmp(key, "config2") == 0) {
		attr->config2 = value;
	} else if (!pgb_host_set_format(host, pmu, attr, key, value)) {
		pgb_fail(error, PGB_E_USAGE, "PMU '%s' has no field '%s' that holds %#llx",
			 pmu->name, key, (unsigned long long)value);
		return pgb_remedy(error, "its fields: ls /sys/bus/event_source/devices/%s/format",
				  pmu->name);
	}
	return PGB_OK;
}

static int parse_terms(const struct pgb_host *host, const struct pgb_pmu *pmu, const char *terms,
		       bool from_sysfs, struct perf_event_attr *attr, struct pgb_error *error);

/* A term without a value: one of the PMU's own events, a generic event on this PMU, or a flag. */
static int parse_bare_term(const struct pgb_host *host, const struct pgb_pmu *pmu, const char *key,
			   bool from_sysfs, struct perf_event_attr *attr, struct pgb_error *error)
{
	const struct generic_event *generic = find_generic(key, strlen(key));
	char *path = pgb_format("events/%s", key);
	char *terms = NULL;
	int result;

	if (!from_sysfs && strchr(key, '/') == NULL)
		terms = pgb_host_pmu_text(host, pmu, path);
	free(path);
	if (terms) {
		result = parse_terms(host, pmu, terms, true, attr, error);
	} else if (generic && generic->type == PERF_TYPE_HARDWARE && pmu->is_core) {
		attr->type = PERF_TYPE_HARDWARE;
		attr->config = generic->config | (uint64_t)pmu->type << 32;
		result = PGB_OK;
	} else {
		result = set_field(host, pmu, key, 1, attr, error);
	}
	free(terms);
	return result;
}

static int parse_term(const struct pgb_host *host, const struct pgb_pmu *pmu, char *term,
		      bool from_sysfs, struct perf_event_attr *attr, struct pgb_error *error)
{
	char *value = strchr(term, '='), *end;
	unsigned long long number;

	if (value == NULL)
		return parse_bare_term(host, pmu, term, from_sysfs, attr, error);
	*value++ = '\0';
	if (strcmp(term, "name") == 0)
		return PGB_OK;
	if (strcmp(term, "period") == 0 || strcmp(term, "freq") == 0) {
		pgb_fail(error, PGB_E_USAGE, "'%s' does not belong into the event's name", term);
		return pgb_remedy(error, "use -%c %s", *term == 'p' ? 'c' : 'F', value);
	}
	errno = 0;
	number = strtoull(value, &end, 0);
	if (!isdigit((unsigned char)*value) || *end != '\0' || errno)
		return pgb_fail(error, PGB_E_USAGE, "PMU '%s': field '%s' needs a number, not '%s'",
				pmu->name, term, value);
	return set_field(host, pmu, term, number, attr, error);
}

/* "event=0xc4,umask=0x20": set each field of the attr. */
static int parse_terms(const struct pgb_host *host, const struct pgb_pmu *pmu, const char *terms,
		       bool from_sysfs, struct perf_event_attr *attr, struct pgb_error *error)
{
	char *copy = pgb_dup(terms), *rest = copy, *term;
	int result = PGB_OK;

	while (result == PGB_OK && (term = strsep(&rest, ",")) != NULL)
		if (*term)
			result = parse_term(host, pmu, term, from_sysfs, attr, error);
	free(copy);
	return result;
}

/* "PMU/terms/modifiers" */
static int parse_pmu_event(const struct pgb_host *host, const char *name,
			   struct perf_event_attr *attr, struct pgb_error *error)
{
	const char *first = strchr(name, '/'), *last = strrchr(name, '/');
	char *pmu_name = pgb_dup_bytes(name, (size_t)(first - name)), *terms;
	const struct pgb_pmu *pmu = pgb_host_find_pmu(host, pmu_name);
	const char *modifiers = last + 1 + (last[1] == ':');
	int result;

	free(pmu_name);
	if (first == last || !is_modifiers(modifiers)) {
		pgb_fail(error, PGB_E_USAGE, "event '%s': not of the form PMU/terms/", name);
		return pgb_remedy(error, "for example: cpu/event=0xc4,umask=0x20/");
	}
	if (pmu == NULL) {
		pgb_fail(error, PGB_E_UNSUPPORTED, "event '%s': this machine has no such PMU",
			 name);
		return pgb_remedy(error, "it has: ls %s/sys/bus/event_source/devices", host->root);
	}
	attr->type = pmu->type;
	terms = pgb_dup_bytes(first + 1, (size_t)(last - first - 1));
	result = parse_terms(host, pmu, terms, false, attr, error);
	free(terms);
	return result < 0 ? result : apply_modifiers(name, modifiers, attr, error);
}

/* "r" and hexadecimal digits, as for `perf record -e`. */
static bool parse_raw(const char *name, size_t length, struct perf_event_attr *attr)
{
	char digits[17] = "";

	if (length < 2 || length > 17 || name[0] != 'r')
		return false;
	memcpy(digits, name + 1, length - 1);
	if (digits[strspn(digits, "0123456789abcdefABCDEF")] != '\0')
		return false;
	attr->type = PERF_TYPE_RAW;
	attr->config = strtoull(digits, NULL, 16);
	return true;
}

static int parse_library_event(const char *name, struct perf_event_attr *attr,
			       struct pgb_error *error)
{
	const char *colon = strrchr(name, ':');
	bool ours = colon && colon[1] && is_modifiers(colon + 1);
	char *stem = ours ? pgb_dup_bytes(name, (size_t)(colon - name)) : pgb_dup(name);
	struct perf_event_attr encoded = {0};
	pfm_perf_encode_arg_t encoding = {.attr = &encoded, .size = sizeof(encoding)};
	int status = pfm_initialize();

	if (status == PFM_SUCCESS)
		status = pfm_get_os_event_encoding(stem, PFM_PLM3, PFM_OS_PERF_EVENT, &encoding);
	free(stem);
	if (status != PFM_SUCCESS)
		return no_such_event(name, status == PFM_ERR_NOTFOUND ? NULL : pfm_strerror(status),
				     error);
	attr->type = encoded.type;
	attr->config = encoded.config;
	attr->config1 = encoded.config1;
	attr->config2 = encoded.config2;
	return apply_modifiers(name, ours ? colon + 1 : "", attr, error);
}

int pgb_event_parse(const struct pgb_host *host, const char *name, struct perf_event_attr *attr,
		    struct pgb_error *error)
{
	size_t length = strcspn(name, ":");
	const char *modifiers = name + length + (name[length] == ':');
	const struct generic_event *generic = find_generic(name, length);
	int result;

	if (strlen(name) > NAME_BYTES_MAX)
		return pgb_fail(error, PGB_E_USAGE, "the event's name is longer than %d bytes",
				NAME_BYTES_MAX);
	if (strchr(name, '/')) {
		result = parse_pmu_event(host, name, attr, error);
	} else if (generic && is_modifiers(modifiers)) {
		attr->type = generic->type;
		attr->config = generic->config;
		result = apply_modifiers(name, modifiers, attr, error);
	} else if (is_modifiers(modifiers) && parse_raw(name, length, attr)) {
		result = apply_modifiers(name, modifiers, attr, error);
	} else {
		result = parse_library_event(name, attr, error);
	}
	return result < 0 ? result : check_counters(host, name, attr, error);
}

/*
 * llvm-bolt looks for "cycles", "instructions" and "branches" in the name to decide what a count
 * means, so the CPU's own names are given as the generic event that they stand for.
 */
static const char *generic_meaning(const char *name)
{
	static const struct {
		const char *part, *meaning;
	} meanings[] = {
		{"MISP", NULL},
		{"MISS", NULL},
		{"STALL", NULL},
		{"BR_", "branches"},
		{"BRANCH", "branches"},
		{"CYCLES", "cycles"},
		{"CPU_CLK", "cycles"},
		{"UNHALTED", "cycles"},
		{"INST_RETIRED", "instructions"},
		{"INSTRUCTIONS", "instructions"},
	};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strcasestr(name, meanings[i].part))
			return meanings[i].meaning;
	return NULL;
}

char *pgb_event_canonical_name(const char *name)
{
	size_t length = strcspn(name, ":");
	const struct generic_event *generic = find_generic(name, length);
	struct perf_event_attr ignored = {0};
	const char *last = strrchr(name, '/');
	const char *meaning;
	char *canonical;

	if (generic)
		return pgb_format("%s%s", generic->canonical,
				  generic->type == PERF_TYPE_SOFTWARE ? "" : ":u");
	if (last)
		canonical = pgb_format("%.*su", (int)(last - name + 1), name);
	else if (parse_raw(name, length, &ignored))
		canonical = pgb_format("%.*s:u", (int)length, name);
	else if ((meaning = generic_meaning(name)) != NULL)
		canonical = pgb_format("%s:u", meaning);
	else
		canonical = pgb_format("%.*s:u", (int)length, name);
	for (char *at = canonical; *at; at++)
		if (isspace((unsigned char)*at))
			*at = '_'; /* the line is a list separated by blanks */
	return canonical;
}

char *pgb_event_describe(const struct perf_event_attr *attr)
{
	uint64_t config = attr->type == PERF_TYPE_HARDWARE ? (uint32_t)attr->config : attr->config;

	for (size_t i = 0; i < GENERIC_COUNT; i++)
		if (generic_events[i].type == attr->type && generic_events[i].config == config)
			return pgb_dup(generic_events[i].canonical);
	return pgb_format("type %u config %#llx", attr->type, (unsigned long long)attr->config);
}

static uint64_t power_modulo(uint64_t base, uint64_t exponent, uint64_t modulus)
{
	unsigned __int128 result = 1, square = base % modulus;

	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = result * square % modulus;
		square = square * square % modulus;
	}
	return (uint64_t)result;
}

/* Miller-Rabin; with these twelve bases it is exact for every 64-bit number. */
static bool is_prime(uint64_t number)
{
	static const unsigned int bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
	unsigned int twos = (unsigned int)__builtin_ctzll(number - 1);

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		unsigned __int128 power;
		unsigned int step = 0;

		if (number % bases[i] == 0)
			return number == bases[i];
		power = power_modulo(bases[i], (number - 1) >> twos, number);
		if (power == 1)
			continue;
		while (power != number - 1 && ++step < twos)
			power = power * power % number;
		if (power != number - 1)
			return false;
	}
	return true;
}

uint64_t pgb_event_prime_period(uint64_t period)
{
	if (period < 3)
		return period;
	for (period -= (period & 1) == 0; !is_prime(period); period -= 2)
		;
	return period;
}
